"""Solid shapes on a grid of patient coordinates: what the phantom is painted with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Point: TypeAlias = tuple[float, float, float]
"""LPS millimetres: x to the patient's left, y to posterior, z to the head."""


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """The part of a grid that a shape may touch, and its coordinates, ready to broadcast."""

    index: tuple[slice, slice, slice]
    x: NDArray[np.float32]  # (1, 1, columns), mm
    y: NDArray[np.float32]  # (1, rows, 1), mm
    z: NDArray[np.float32]  # (slices, 1, 1), mm


@dataclasses.dataclass(frozen=True, slots=True)
class Grid:
    """Voxel centres along each axis, each growing."""

    x: NDArray[np.float32]  # (columns,), mm
    y: NDArray[np.float32]  # (rows,), mm
    z: NDArray[np.float32]  # (slices,), mm

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return len(self.z), len(self.y), len(self.x)

    def box(self, low: Point, high: Point) -> Box:
        """Return the part between two corners."""
        kx, ky, kz = (
            slice(int(np.searchsorted(axis, first)), int(np.searchsorted(axis, last, side="right")))
            for axis, first, last in zip((self.x, self.y, self.z), low, high, strict=True)
        )
        return Box((kz, ky, kx), self.x[None, None, kx], self.y[None, ky, None], self.z[kz, None, None])


@dataclasses.dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An ellipsoid, tilted about the y axis."""

    centre: Point
    semi_axes: Point
    tilt_deg: float = 0.0  # turns the x axis towards the head
    power: float = 2.0  # above 2 it is boxier

    def box(self, grid: Grid) -> Box:
        """Return the part of the grid that holds all of it."""
        reach = max(self.semi_axes) if self.tilt_deg else 0.0
        span = [max(semi, reach) for semi in self.semi_axes]
        low, high = zip(*[(c - s, c + s) for c, s in zip(self.centre, span, strict=True)], strict=True)
        return grid.box(low, high)

    def inside(self, box: Box) -> NDArray[np.bool_]:
        """Say which voxels of the box lie in it."""
        cos, sin = np.cos(np.radians(self.tilt_deg)), np.sin(np.radians(self.tilt_deg))
        x, y, z = box.x - self.centre[0], box.y - self.centre[1], box.z - self.centre[2]
        a, b, c = self.semi_axes
        along, across = np.abs(x * cos + z * sin) / a, np.abs(z * cos - x * sin) / c
        total = along**self.power + (np.abs(y) / b) ** self.power + across**self.power
        return np.asarray(total <= 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Rod:
    """A straight piece with round ends, whose radius may change along it: a piece of a rib or of a vessel."""

    start: Point
    end: Point
    start_radius_mm: float
    end_radius_mm: float

    def box(self, grid: Grid) -> Box:
        """Return the part of the grid that holds all of it."""
        reach = max(self.start_radius_mm, self.end_radius_mm)
        ends = list(zip(self.start, self.end, strict=True))
        low, high = zip(*[(min(pair) - reach, max(pair) + reach) for pair in ends], strict=True)
        return grid.box(low, high)

    def inside(self, box: Box) -> NDArray[np.bool_]:
        """Say which voxels of the box lie in it."""
        direction = np.subtract(self.end, self.start).astype(np.float32)
        x, y, z = box.x - self.start[0], box.y - self.start[1], box.z - self.start[2]
        length2 = max(float(direction @ direction), 1e-6)
        t = np.clip((x * direction[0] + y * direction[1] + z * direction[2]) / length2, 0, 1)
        distance2 = (x - t * direction[0]) ** 2 + (y - t * direction[1]) ** 2 + (z - t * direction[2]) ** 2
        radius = self.start_radius_mm + t * (self.end_radius_mm - self.start_radius_mm)
        return np.asarray(distance2 <= radius**2)


Shape: TypeAlias = Ellipsoid | Rod


def tube(points: Sequence[Point], radius_mm: float, end_radius_mm: float | None = None) -> list[Shape]:
    """Return rods along points; the radius goes evenly from the first to the last."""
    last = radius_mm if end_radius_mm is None else end_radius_mm
    radii = np.linspace(radius_mm, last, len(points)).tolist()
    return [Rod(points[k], points[k + 1], radii[k], radii[k + 1]) for k in range(len(points) - 1)]


def paint(
    image: NDArray[np.float32], grid: Grid, shapes: Sequence[Shape], value: float, only: NDArray[np.bool_] | None = None
) -> None:
    """Set the voxels of image (slices, rows, columns) inside any shape to a value, where only allows it."""
    for shape in shapes:
        box = shape.box(grid)
        inside = shape.inside(box)
        if only is not None:
            inside = inside & only[box.index]
        image[box.index][inside] = value
