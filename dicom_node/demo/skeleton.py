"""The made-up chest's bones, and the room that they enclose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicom_node.demo.shapes import Ellipsoid, Grid, Point, Rod, Shape, paint, tube

SPONGY_HU, CORTEX_HU, DISC_HU, CORD_HU = 190.0, 620.0, 85.0, 25.0
CAVITY_POWER, CAVITY_DEPTH = 2.3, 0.66  # how square the ribs' ring is, and its depth over its width
VERTEBRAE_Z = tuple(float(z) for z in range(-190, 200, 24))


def spine_y(z: float) -> float:
    """Return where the middle of the vertebral body is: the thoracic curve, mm."""
    return 66.0 - 0.0009 * (z - 20.0) ** 2


def half_width(z: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return the half width in mm of what the ribs enclose at heights z: wide at the base, round at the top."""
    up = np.clip((z + 130.0) / 268.0, 0, 1)
    return 136.0 * np.sqrt(np.clip(1 - up**3.4, 0, 1))


def paint_bones(hu: NDArray[np.float32], grid: Grid, *, arms_down: bool) -> None:
    """Paint every bone onto hu (slices, rows, columns)."""
    for side in (-1.0, 1.0):
        for points in [_rib(number, side) for number in range(12)]:
            _paint_bone(hu, grid, tube(points, 5.4, 4.6), tube(points, 3.2, 2.6))
        _paint_shoulder(hu, grid, side, arms_down=arms_down)
    for z in VERTEBRAE_Z:
        _paint_vertebra(hu, grid, z)
    for x in (-7.0, 7.0):
        breastbone: list[Point] = [(x, -80.0 - 0.10 * (80 - z), float(z)) for z in range(82, -62, -6)]
        _paint_bone(hu, grid, tube(breastbone, 6.5), tube(breastbone, 5.0))


def _paint_bone(hu: NDArray[np.float32], grid: Grid, outer: Sequence[Shape], inner: Sequence[Shape]) -> None:
    paint(hu, grid, outer, CORTEX_HU)
    paint(hu, grid, inner, SPONGY_HU)


def _rib(number: int, side: float) -> list[Point]:
    """Return points along rib number (0 the first), from the spine round to the front, falling as it goes."""
    top = 118.0 - 21.5 * number
    reach = (0.86, 0.94, 1.0, 1.0, 1.0, 1.0, 1.0, 0.97, 0.93, 0.86, 0.62, 0.45)[number]
    fall = 26.0 + 7.2 * number
    t = np.linspace(0, 1, 26)
    angle = np.radians(98 - 178 * t * reach)
    z = top - fall * t**1.25 + 7 * np.sin(np.pi * np.minimum(t * 5, 1))
    # A rib stands off the wall where it runs, not where it ends: halfway back to its own top.
    wide = half_width(np.minimum(z + 0.35 * (top - z), 112)) + 5.5
    power = 2 / CAVITY_POWER
    x = side * wide * np.abs(np.cos(angle)) ** power
    y = 2 + (CAVITY_DEPTH * wide + 5) * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    return list(zip(x.tolist(), y.tolist(), z.tolist(), strict=True))


def _paint_shoulder(hu: NDArray[np.float32], grid: Grid, side: float, *, arms_down: bool) -> None:
    lift = 0.0 if arms_down else 14.0
    collarbone: list[Point] = [
        (side * 16, -72, 92 + lift / 2),
        (side * 60, -64, 106 + lift),
        (side * 104, -30, 118 + lift),
        (side * 146, 0, 120 + lift),
    ]
    _paint_bone(hu, grid, tube(collarbone, 6.5, 5.5), tube(collarbone, 4.0, 3.4))
    if not arms_down:
        return
    blade_edge: list[Point] = [(side * 148, 40, 92), (side * 138, 78, 40), (side * 120, 92, -18)]
    inner_edge: list[Point] = [(side * 120, 92, -18), (side * 112, 90, 40), (side * 108, 74, 96)]
    ridge: list[Point] = [(side * 108, 74, 96), (side * 130, 66, 104), (side * 158, 22, 118)]
    paint(hu, grid, tube(blade_edge, 4.6) + tube(inner_edge, 2.4) + tube(ridge, 4.0), CORTEX_HU * 0.6)
    _paint_bone(
        hu, grid, [Ellipsoid((side * 168, 12, 94), (25, 24, 25))], [Ellipsoid((side * 168, 12, 94), (21, 20, 21))]
    )
    shaft: list[Point] = [(side * 172, 12, 86), (side * 194, 14, -20), (side * 206, 16, -240)]
    _paint_bone(hu, grid, tube(shaft, 13.0, 12.0), tube(shaft, 8.0, 7.0))


def _paint_vertebra(hu: NDArray[np.float32], grid: Grid, z: float) -> None:
    y = spine_y(z)
    paint(hu, grid, [Ellipsoid((0, y, z + 12), (17, 14, 5), power=3)], DISC_HU)
    body = [Ellipsoid((0, y, z), (18, 15.5, 10), power=4)]
    _paint_bone(hu, grid, body, [Ellipsoid((0, y, z), (16, 13.5, 8), power=4)])
    arms: list[Shape] = [Rod((s * 10, y + 12, z), (s * 12, y + 26, z), 4, 4) for s in (-1, 1)]
    arms += [Rod((s * 12, y + 24, z), (0, y + 34, z - 3), 4, 4) for s in (-1, 1)]
    arms += [Rod((s * 12, y + 22, z), (s * 30, y + 26, z + 2), 4.5, 3.5) for s in (-1, 1)]
    paint(hu, grid, [*arms, Rod((0, y + 34, z - 2), (0, y + 48, z - 16), 3.5, 3)], CORTEX_HU * 0.75)
    paint(hu, grid, [Rod((0, y + 23, z - 12), (0, y + 23, z + 12), 8, 8)], CORD_HU)
