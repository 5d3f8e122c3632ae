"""Where a frame lies in the patient: LPS millimetres (PS3.3 C.7.6.2.1.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dicom_node.imaging.headers import Values

SAME_ORIENTATION_DEGREES = 1.0

SAME_POSITION_MM = 0.01
"""Slices nearer than this lie at one position."""

_NAMED_PLANE_DEGREES = 30.0  # an axial head scan along the orbitomeatal line is tilted by up to 25
_PLANES = ("sagittal", "coronal", "axial")  # by the patient axis that the normal follows: x, y, z


@dataclasses.dataclass(frozen=True, slots=True)
class Plane:
    """One frame's grid in the patient."""

    origin: NDArray[np.float64]  # (3,) centre of the first pixel
    along_row: NDArray[np.float64]  # (3,) unit vector in which the column index grows
    along_column: NDArray[np.float64]  # (3,) unit vector in which the row index grows

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector (3,) across the slice."""
        across = np.cross(self.along_row, self.along_column)
        return np.asarray(across / np.linalg.norm(across), dtype=np.float64)

    def turned_by_degrees(self, other: Plane) -> float:
        """Return the larger of the angles between the two planes' rows and columns."""
        return float(_turned_by_degrees(self.axes[np.newaxis], other.axes)[0])

    @property
    def axes(self) -> NDArray[np.float64]:
        """Unit vectors (2, 3) along row and column."""
        return np.stack((self.along_row, self.along_column))


AXIAL = Plane(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
"""Of a patient on the back; what is assumed of a slice whose header says nothing."""


def plane_of(values: Values) -> Plane | None:
    """Return a frame's plane, or None where its header gives no position or orientation that can be one."""
    position = numbers(values, "ImagePositionPatient", 3)
    orientation = numbers(values, "ImageOrientationPatient", 6)
    if position is None or orientation is None:
        return None
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.5 or abs(row @ column) > 0.01:
        return None
    return Plane(position, row / lengths[0], column / lengths[1])


def numbers(values: Values, keyword: str, count: int) -> NDArray[np.float64] | None:
    """Return exactly `count` finite numbers of a keyword, or None."""
    found = values.get(keyword, ())
    if len(found) != count or not all(isinstance(value, float) for value in found):
        return None
    array = np.array(found, dtype=np.float64)
    return array if np.isfinite(array).all() else None


def orientations(planes: Sequence[Plane | None]) -> list[int]:
    """Return for each plane the number of its orientation, as they come; -1 where there is no plane.

    A plane has the first orientation whose rows and columns are within SAME_ORIENTATION_DEGREES of its own.
    """
    known = np.empty((len(planes), 2, 3))  # unit vectors along row and column of each orientation
    count, found = 0, []
    for plane in planes:
        if plane is None:
            found.append(-1)
            continue
        near = np.flatnonzero(_turned_by_degrees(known[:count], plane.axes) <= SAME_ORIENTATION_DEGREES)
        if not len(near):
            known[count] = plane.axes
            count += 1
        found.append(int(near[0]) if len(near) else count - 1)
    return found


def _turned_by_degrees(known: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each of the known axes (n, 2, 3) the larger of the angles to others (2, 3)."""
    cosines = np.einsum("nij,ij->ni", known, axes).min(axis=1)
    return np.asarray(np.degrees(np.arccos(np.clip(cosines, -1, 1))))


def plane_name(normal: NDArray[np.float64]) -> str:
    """Return axial, sagittal, coronal, or oblique when the normal is far from each patient axis."""
    along = int(np.argmax(np.abs(normal)))
    return _PLANES[along] if abs(normal[along]) >= np.cos(np.radians(_NAMED_PLANE_DEGREES)) else "oblique"


def position_numbers(distances_mm: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return for each slice (n,) the rank of its position; slices at one position share a rank."""
    order = np.argsort(distances_mm, kind="stable")
    steps = np.diff(distances_mm[order], prepend=distances_mm[order[:1]]) > SAME_POSITION_MM
    ranks = np.empty(len(order), dtype=np.intp)
    ranks[order] = np.cumsum(steps)
    return ranks
