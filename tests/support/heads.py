"""Heads, parts of heads and phantoms in MR, drawn from ellipsoids: no image of a person."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.images import Frame, Stack, Volume

Mask = NDArray[np.bool_]
BRAIN_MM = (66.0, 82.0, 66.0)  # half axes towards head, back and left: 1496 mL
FIELD_MM = (270.0, 240.0, 200.0)
BRAIN_CENTRE_MM = (180.0, 125.0, 100.0)  # from the field's lowest, foremost, rightmost corner


@dataclasses.dataclass(frozen=True)
class Head:
    """How a head is drawn."""

    spacing_mm: tuple[float, float, float] = (3.0, 3.0, 3.0)
    scale: float = 1.0  # of everything
    chin_up_degrees: float = 0.0
    shading: float = 0.0  # how much brighter the surface near the coils is, as e to this power at the field's end
    age: str = ""

    def image(self) -> Volume:
        """Scalp, skull, brain, face, neck and tongue with the values of T1, uneven as tissue is."""
        values = np.zeros(self._shape, np.float32)
        values[self.neck | self.face | self._grown(14)] = 0.9
        values[self._grown(7)] = 0.05
        values[self.brain] = 0.6
        values[self.tongue] = 0.5
        grain = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=self._shape), 1)
        values *= (1 + 0.5 * grain).astype(np.float32)
        return volume(values * self._shade(), self.spacing_mm, PatientAge=self.age)

    @property
    def brain(self) -> Mask:
        """The brain."""
        return self._grown(0)

    @property
    def face(self) -> Mask:
        """What lies below and in front of the brain."""
        return self._ellipsoid((-75, -40, 0), (75, 58, 62))

    @property
    def neck(self) -> Mask:
        """A column below the head."""
        z, y, x = self._places
        return np.asarray((z < -30) & ((y - 20) ** 2 + x**2 < 55**2), np.bool_)

    @property
    def tongue(self) -> Mask:
        """Tongue and floor of the mouth, 137 mL."""
        return self._ellipsoid((-108, -48, 0), (30, 39, 28))

    @property
    def bridge(self) -> Mask:
        """A strand, 16 mm wide, from the brain to the tongue."""
        z, y, x = self._places
        return np.asarray((z < -30) & (z > -100) & ((y + 40) ** 2 + x**2 < 8**2), np.bool_)

    @property
    def cord(self) -> Mask:
        """Spinal cord and the fluid around it, 18 mm wide, down to the field's end: part of a true brain mask."""
        z, y, x = self._places
        return np.asarray((z < -40) & ((y - 20) ** 2 + x**2 < 9**2), np.bool_)

    @property
    def _shape(self) -> tuple[int, int, int]:
        sizes = (round(mm / step) for mm, step in zip(FIELD_MM, self.spacing_mm, strict=True))
        return tuple(sizes)  # type: ignore[return-value]  # three of each

    @property
    def _places(self) -> NDArray[np.float64]:
        """(3, slices, rows, columns): mm of each voxel from the brain's centre, along the head's own axes."""
        grid = np.indices(self._shape).reshape(3, -1) * np.array(self.spacing_mm)[:, None]
        z, y, x = grid - np.array(BRAIN_CENTRE_MM)[:, None]
        turn = np.radians(self.chin_up_degrees)
        z, y = np.cos(turn) * z + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * z
        return (np.stack([z, y, x]) / self.scale).reshape(3, *self._shape)

    def _grown(self, by_mm: float) -> Mask:
        return self._ellipsoid((0, 0, 0), tuple(half + by_mm for half in BRAIN_MM))

    def _ellipsoid(self, centre: tuple[float, ...], halves: tuple[float, ...]) -> Mask:
        parts = zip(self._places, centre, halves, strict=True)
        return np.asarray(sum(((place - at) / half) ** 2 for place, at, half in parts) <= 1)

    def _shade(self) -> NDArray[np.float32]:
        away = np.sqrt((self._places**2).sum(axis=0)) / 150
        return np.asarray(np.exp(self.shading * away), np.float32)


def cylinder_phantom(radius_mm: float = 85.0, height_mm: float = 200.0, shading: float = 1.0) -> Volume:
    """A cylinder full of one liquid, brighter near the coils, with a little noise."""
    z, y, x = (np.indices((90, 80, 70)) - np.array([45, 40, 35])[:, None, None, None]) * 3.0
    liquid = (y**2 + x**2 < radius_mm**2) & (np.abs(z) < height_mm / 2)
    bright = np.exp(shading * (y**2 + x**2) / radius_mm**2)
    noise = np.random.default_rng(0).normal(scale=0.01, size=liquid.shape)
    return volume((liquid * bright + noise).astype(np.float32), (3.0, 3.0, 3.0))


def ball(image: Volume, radius_mm: float, centre: tuple[int, int, int] | None = None) -> Mask:
    """A ball in the middle of a volume, or about a voxel."""
    middle = np.array(centre or tuple(n // 2 for n in image.array.shape))
    away = (np.indices(image.array.shape) - middle[:, None, None, None]) * np.array(image.spacing_mm)[
        :, None, None, None
    ]
    return np.asarray((away**2).sum(axis=0) < radius_mm**2)


def volume(values: NDArray[np.float32], spacing_mm: tuple[float, float, float], **facts: Any) -> Volume:
    """A volume with slices to the head, rows to the back and columns to the left."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = *spacing_mm, 1
    frames = tuple(Frame(f"{k}.dcm", "1.2", f"1.2.{k}") for k in range(len(values)))
    return Volume(values, affine, "1.3", Stack("1.1", "1.1.1", frames, {k: (v,) for k, v in facts.items() if v}))
