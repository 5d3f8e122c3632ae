"""Trunks in CT, drawn from ellipsoids: no image of a person."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dicom_node.images import Volume
from tests.support.heads import volume

Mask = NDArray[np.bool_]
STEP_MM = 4.0
SHAPE = (75, 70, 100)  # 300 mm high, 280 mm from front to back, 400 mm broad


@dataclasses.dataclass(frozen=True)
class Trunk:
    """A trunk of fat around muscle with a spine; `scale` is of everything, `age` is PatientAge."""

    scale: float = 1.0
    age: str = ""

    @cached_property
    def image(self) -> Volume:
        """Hounsfield units."""
        hu = np.full(SHAPE, -1000, np.float32)
        hu[self.ellipse(0, 0, 170, 115)] = -100
        hu[self.ellipse(0, 0, 155, 100)] = 50
        hu[self.ellipse(65, 0, 20, 20)] = 250
        return volume(hu, (STEP_MM,) * 3, PatientAge=self.age)

    def ellipse(self, y: float, x: float, breadth: float, depth: float) -> Mask:
        """A column of this half breadth and half depth in mm, to the back by y and to the left by x."""
        return np.asarray(((self._y - y) / depth) ** 2 + ((self._x - x) / breadth) ** 2 <= 1, np.bool_)

    def organ(self, centre_mm: tuple[float, float, float], halves_mm: tuple[float, float, float]) -> Mask:
        """An ellipsoid about a place towards head, back and left of the middle."""
        away = zip((self._z, self._y, self._x), centre_mm, halves_mm, strict=True)
        return np.asarray(sum(((place - at) / half) ** 2 for place, at, half in away) <= 1, np.bool_)

    @property
    def liver(self) -> Mask:
        """1510 mL on the right."""
        return self.organ((30, -10, -70), (75, 80, 60))

    def kidney(self, side: int) -> Mask:
        """160 mL; side 1 is left, -1 right."""
        return self.organ((-40, 50, 60 * side), (57, 26, 26))

    @property
    def _z(self) -> NDArray[np.float64]:
        return self._along(0)

    @property
    def _y(self) -> NDArray[np.float64]:
        return self._along(1)

    @property
    def _x(self) -> NDArray[np.float64]:
        return self._along(2)

    def _along(self, axis: int) -> NDArray[np.float64]:
        return np.asarray((np.indices(SHAPE)[axis] - SHAPE[axis] / 2) * STEP_MM / self.scale, np.float64)


def water_phantom() -> Volume:
    """A cylinder of water with a rim of acrylic glass."""
    trunk, hu = Trunk(), np.full(SHAPE, -1000, np.float32)
    hu[trunk.ellipse(0, 0, 115, 115)] = 120
    hu[trunk.ellipse(0, 0, 108, 108)] = 0
    return volume(hu, (STEP_MM,) * 3)
