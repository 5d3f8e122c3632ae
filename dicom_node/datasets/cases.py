"""One labelled image, and a folder of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicom_node.errors import ObjectError
from dicom_node.images import Image, Photograph, Stack, Volume


@dataclasses.dataclass(frozen=True, slots=True)
class TrueBox:
    """A rectangle that is there: columns x1 <= x < x2, rows y1 <= y < y2.

    The label "?" marks a place where finding something is neither right nor wrong.
    """

    label: str
    x1: float
    y1: float
    x2: float
    y2: float


class Mask(Protocol):
    """What is there, pixel by pixel; read only when it is needed."""

    def read(self, image: Image, classes: Sequence[str]) -> NDArray[np.uint8]:
        """Return the values (slices, rows, columns) on the image's grid; ObjectError where they do not fit it.

        `classes` are the names of the values 1, 2 ..., for masks that tell names instead.
        """


Truth: TypeAlias = Mask | str | tuple[TrueBox, ...]
"""A mask, the name of a class, or every box (possibly none)."""

Kind: TypeAlias = Literal["masks", "classes", "boxes"]


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One image, what is true of it, and whose it is."""

    name: str  # of its file, for people
    source: Path | Stack  # what a loaded pipeline predicts from
    patient: str  # images of one patient never stand on both sides of a split
    truth: Truth
    part: str = ""  # train, validation or test where index.csv says so


@dataclasses.dataclass(frozen=True, slots=True)
class Dataset:
    """A folder's cases, all of one kind."""

    folder: Path
    kind: Kind
    cases: tuple[Case, ...]
    patients_known: bool  # False where some image had to be taken for a patient of its own

    @property
    def patients(self) -> list[str]:
        """Return each case's patient, in order."""
        return [case.patient for case in self.cases]

    def only(self, part: str) -> Dataset:
        """Return the cases of one part, as index.csv names it; ObjectError where none is of it."""
        cases = tuple(case for case in self.cases if case.part == part)
        if not cases:
            raise ObjectError(str(self.folder), f"index.csv gives no image the part {part!r}")
        return dataclasses.replace(self, cases=cases)


def grid_of(image: Image) -> tuple[int, int, int]:
    """Return slices (or a film's frames), rows and columns; a picture is one slice."""
    if isinstance(image, Volume):
        slices, rows, columns = image.array.shape
    elif isinstance(image, Photograph):
        slices, rows, columns = image.pictures.shape[:3]
    else:
        slices, (rows, columns) = 1, image.picture.shape
    return slices, rows, columns
