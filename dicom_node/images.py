"""What a model sees: a stack of frames read from DICOM, as a volume, a radiograph or a photograph.

Patient coordinates are LPS millimetres (PS3.3 C.7.6.2.1.1): x to the patient's left, y to posterior, z to the head.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
FactValue: TypeAlias = str | float
Facts: TypeAlias = Mapping[str, tuple[FactValue, ...]]
"""Keyword or computed name -> every distinct value found in the stack; absent when empty or missing."""

KINDS = (
    *("volume", "radiograph", "photo", "localizer", "tracking", "reformat"),
    *("projection", "map", "mosaic", "capture", "non-image"),
)
"""Every value of the fact `kind`."""
PLANES = ("axial", "coronal", "sagittal", "oblique")
"""Every value of the fact `plane`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """One image frame on disk; `number` counts from 1 in a multi-frame object, None in a single-frame one."""

    path: str
    sop_class_uid: str
    sop_instance_uid: str
    number: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Stack:
    """The unit of work: frames of one series that belong together, and what their headers say."""

    study_uid: str
    series_uid: str
    frames: tuple[Frame, ...]
    facts: Facts
    correction: int = 0  # of how many images the place or the patient was corrected, counting each time

    def text(self, keyword: str) -> str:
        """Return the first value of a fact as text, or "" when it is absent."""
        return str(next(iter(self.facts.get(keyword, ())), ""))

    def number(self, keyword: str) -> float | None:
        """Return the first value of a fact as a number, or None when it is absent or no number."""
        try:
            return float(self.text(keyword))
        except ValueError:
            return None

    @property
    def repetition(self) -> str:
        """Say that a volume repeats positions and no header tells the repeats apart; "" where that is not so."""
        positions, most = self.number("slices"), self.number("repeats")
        if positions is None or most is None or self.text("kind") not in {"", "volume"}:
            return ""
        frames = f"{len(self.frames)} frames at {positions:g} position{'s' if positions != 1 else ''}"
        return f"it repeats positions ({frames}), and nothing in the headers tells the repeats apart"

    def with_facts(self, **facts: FactValue) -> Self:
        """Return the same stack with further single-valued facts."""
        added = {name: (value,) for name, value in facts.items()}
        return dataclasses.replace(self, facts={**self.facts, **added})

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a stack from `to_json`'s values."""
        return cls(
            study_uid=values["study_uid"],
            series_uid=values["series_uid"],
            frames=tuple(Frame(**frame) for frame in values["frames"]),
            facts={name: tuple(found) for name, found in values["facts"].items()},
            correction=values.get("correction", 0),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Oriented:
    """A volume's array turned to given patient axes, and the way back."""

    array: NDArray[np.float32]  # axes as asked for, e.g. "SPL": superior, posterior, left
    spacing_mm: tuple[float, float, float]
    permutation: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def restore(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Bring an array on this grid back to the source grid (slices, rows, columns)."""
        unflipped = array[_slices(self.flips)]
        return np.ascontiguousarray(unflipped.transpose(np.argsort(self.permutation)))


@dataclasses.dataclass(frozen=True, slots=True)
class Volume:
    """Parallel, evenly spaced slices on the source grid."""

    array: NDArray[np.float32]  # (slices, rows, columns); Hounsfield units for CT
    affine: NDArray[np.float64]  # (4, 4): (slice, row, column, 1) -> LPS mm of the voxel's centre
    frame_of_reference_uid: str
    stack: Stack  # frames[k] is the source of array[k]
    stored_axes: bool = False  # of a file without a DICOM header: `oriented` leaves the axes as they are
    remarks: tuple[str, ...] = ()  # what a result's reader must know of these pixels, e.g. that they are lossy

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along slices, rows, columns."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(lengths[0]), float(lengths[1]), float(lengths[2])

    def as_stored(self) -> Oriented:
        """Return the array as it is, in the terms of `oriented`."""
        return Oriented(self.array, self.spacing_mm, (0, 1, 2), (False, False, False))

    def oriented(self, axes: str = "SPL") -> Oriented:
        """Return the array with its axes growing towards the nearest of the named patient directions.

        "SPL" is the usual axial picture: slices to the head, rows to posterior, columns to the left. No resampling.
        """
        if self.stored_axes:
            return self.as_stored()
        wanted = np.array([_DIRECTIONS[letter] for letter in axes])
        along = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        cosines = wanted @ along  # (wanted axis, source axis)
        permutation = max(
            itertools.permutations(range(3)), key=lambda order: sum(abs(cosines[i, k]) for i, k in enumerate(order))
        )
        flips = tuple(bool(cosines[i, k] < 0) for i, k in enumerate(permutation))
        spacing = tuple(self.spacing_mm[k] for k in permutation)
        turned = np.ascontiguousarray(self.array.transpose(permutation)[_slices(flips)])
        return Oriented(turned, spacing, permutation, flips)  # type: ignore[arg-type]  # three of each


@dataclasses.dataclass(frozen=True, slots=True)
class Radiograph:
    """One projection image: the pixels as stored, and the picture that a viewer would show."""

    stored: NDArray[Any]  # (rows, columns), integers as stored
    picture: NDArray[np.uint8]  # (rows, columns), VOI applied, 0 black, 255 white, whatever the photometric sense
    spacing_mm: tuple[float, float] | None  # rows, columns; None when the header gives none
    stack: Stack  # one frame
    colours: NDArray[np.uint8] | None = None  # (rows, columns, 3) red, green, blue, of a picture file that has them
    remarks: tuple[str, ...] = ()  # what a result's reader must know of these pixels, e.g. that they are lossy


@dataclasses.dataclass(frozen=True, slots=True)
class Photograph:
    """Pictures in colour from one object: a single one, or frames of a film."""

    pictures: NDArray[np.uint8]  # (frames, rows, columns, 3), red, green, blue
    stack: Stack  # frames[k] is the source of pictures[k]
    remarks: tuple[str, ...] = ()  # what a result's reader must know of these pixels, e.g. that they are lossy


Image: TypeAlias = Volume | Radiograph | Photograph
Takes: TypeAlias = type[Volume] | type[Radiograph] | type[Photograph]

_DIRECTIONS = {
    "L": (1.0, 0.0, 0.0),
    "R": (-1.0, 0.0, 0.0),
    "P": (0.0, 1.0, 0.0),
    "A": (0.0, -1.0, 0.0),
    "S": (0.0, 0.0, 1.0),
    "I": (0.0, 0.0, -1.0),
}


def _slices(flips: tuple[bool, ...]) -> tuple[slice, ...]:
    return tuple(slice(None, None, -1 if flip else 1) for flip in flips)
