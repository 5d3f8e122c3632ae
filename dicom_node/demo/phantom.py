"""A made-up chest: Hounsfield units from simple solids, so that the demonstration needs nobody's images.

The patient's left is +x, posterior +y, the head +z (PS3.3 C.7.6.2.1.1); the origin is in the middle of the chest.
Sizes are those of an adult to within what a glance can tell; nothing here is measured from a person.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from dicom_node.demo.shapes import Ellipsoid, Grid, Point, Rod, Shape, paint, tube
from dicom_node.demo.skeleton import CAVITY_DEPTH, CAVITY_POWER, half_width, paint_bones, spine_y

AIR_HU, LUNG_HU, FAT_HU, MUSCLE_HU = -1000.0, -850.0, -95.0, 52.0


@dataclasses.dataclass(frozen=True, slots=True)
class Iodine:
    """What blood and the organs that it fills measure, in HU."""

    right_heart: float
    left_heart: float
    pulmonary: float
    aorta: float
    cava: float
    heart_muscle: float
    liver: float
    spleen: float
    kidney: float


PLAIN = Iodine(41, 41, 41, 41, 41, 46, 57, 48, 33)
ARTERIAL = Iodine(270, 305, 290, 325, 240, 110, 82, 135, 165)


def chest_hu(grid: Grid, iodine: Iodine, seed: int, *, arms_down: bool = False) -> NDArray[np.float32]:
    """Return the chest on a grid as (slices, rows, columns) in HU, without noise.

    The same seed gives the same lung vessels on every grid. `arms_down` adds the shoulders, as in a radiograph; a CT is
    taken with the arms raised.
    """
    hu = np.full(grid.shape, AIR_HU, np.float32)
    _paint_wall(hu, grid, arms_down=arms_down)
    cavity = _cavity(grid)
    hu[cavity] = MUSCLE_HU
    abdomen = cavity & _below_diaphragm(grid)
    chest = cavity & ~abdomen
    lungs = chest & _apices(grid) & ~_mediastinum(grid)
    _paint_abdomen(hu, grid, abdomen, iodine)
    hu[chest & ~lungs] = FAT_HU + 70  # loose tissue between the lungs
    hu[lungs] = LUNG_HU
    _paint_tree(hu, grid, lungs, iodine.pulmonary, seed)
    _paint_heart(hu, grid, iodine, chest)
    _paint_great_vessels(hu, grid, iodine)
    _paint_airway(hu, grid)
    paint_bones(hu, grid, arms_down=arms_down)
    return hu


def _mesh(grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    return grid.x[None, None, :], grid.y[None, :, None], grid.z[:, None, None]


def _cavity(grid: Grid) -> NDArray[np.bool_]:
    """Return what the ribs enclose: chest and upper abdomen."""
    x, y, z = _mesh(grid)
    wide = half_width(z)
    deep = CAVITY_DEPTH * wide + 2
    return np.asarray((np.abs(x) / (wide + 0.01)) ** CAVITY_POWER + (np.abs(y - 2) / deep) ** CAVITY_POWER < 1)


def _below_diaphragm(grid: Grid) -> NDArray[np.bool_]:
    """Return what lies under the two domes; the right one stands higher, and both fall off to the back."""
    x, y, z = _mesh(grid)
    back = np.clip(y + 12, 0, None) ** 2 / 135.0 + np.clip(-12 - y, 0, None) ** 2 / 210.0
    right = -50.0 - (x + 64) ** 2 / 125.0 - back
    left = -61.0 - (x - 68) ** 2 / 125.0 - back
    middle = -76.0 - back - x**2 / 90.0
    return np.asarray(z < np.maximum(np.maximum(right, left), middle))


def _mediastinum(grid: Grid) -> NDArray[np.bool_]:
    """Return the space between the lungs, narrow behind the breastbone and beside the spine."""
    x, y, z = _mesh(grid)
    half = 24.0 + 6.0 * np.exp(-(((z - 20) / 45.0) ** 2)) + 8.0 * np.clip((z - 70) / 60.0, 0, 1)
    front = np.clip((-y - 52.0) / 28.0, 0, 1)
    back = np.clip((y - 36.0) / 30.0, 0, 1)
    return np.asarray(np.abs(x - 3 + 3 * back) < half * (1 - 0.75 * front) * (1 - back) + 19 * back)


def _apices(grid: Grid) -> NDArray[np.bool_]:
    """Return the room of the lungs' two round tops, and everything below them."""
    x, _, z = _mesh(grid)
    up = np.clip((z - 66.0) / 66.0, 0, None)
    return np.asarray((up == 0) | (((np.abs(x) - 57.0) / 54.0) ** 2 + up**2 < 1))


def _paint_wall(hu: NDArray[np.float32], grid: Grid, *, arms_down: bool) -> None:
    x, y, z = _mesh(grid)
    taper = np.clip((z - 96) / 70.0, 0, 1)
    neck = taper**2 * (3 - 2 * taper)
    wide, deep = 172 - 112 * neck, 116 - 54 * neck
    for depth, value in ((0.0, 30.0), (2.5, FAT_HU), (15.0, MUSCLE_HU)):
        within = (np.abs(x) / (wide - depth)) ** 2.5 + (np.abs(y - 4) / (deep - depth)) ** 2.5 < 1
        hu[np.broadcast_to(within, hu.shape)] = value
    if not arms_down:
        return
    for side in (-1.0, 1.0):
        slope: list[Point] = [(side * 40, 18, 158), (side * 100, 18, 122), (side * 158, 12, 92)]
        arm: list[Point] = [(side * 168, 12, 88), (side * 196, 14, -20), (side * 210, 16, -240)]
        for points, radius in ((slope, 42.0), (arm, 45.0)):
            paint(hu, grid, tube(points, radius), FAT_HU)
            paint(hu, grid, tube(points, radius - 8), MUSCLE_HU)


def _paint_abdomen(hu: NDArray[np.float32], grid: Grid, room: NDArray[np.bool_], iodine: Iodine) -> None:
    hu[room] = FAT_HU
    liver: list[Shape] = [
        Ellipsoid((-62, -8, -108), (78, 82, 66), power=2.4),
        Ellipsoid((0, -38, -96), (72, 38, 34), tilt_deg=8),
    ]
    stomach: list[Shape] = [Ellipsoid((62, -22, -104), (44, 42, 38))]
    paint(hu, grid, stomach, 28.0, room)
    paint(hu, grid, [Ellipsoid((66, -38, -88), (28, 24, 15))], AIR_HU, room)
    paint(hu, grid, [Ellipsoid((88, 36, -106), (34, 38, 46), tilt_deg=20)], iodine.spleen, room)
    paint(hu, grid, liver, iodine.liver, room)
    for side in (-1.0, 1.0):
        paint(hu, grid, [Ellipsoid((side * 56, 48, -168), (27, 25, 44), tilt_deg=side * 12)], iodine.kidney, room)


def _paint_heart(hu: NDArray[np.float32], grid: Grid, iodine: Iodine, chest: NDArray[np.bool_]) -> None:
    paint(hu, grid, [Ellipsoid((20, -28, -32), (66, 52, 47), tilt_deg=-32)], FAT_HU + 15, chest)
    paint(hu, grid, [Ellipsoid((21, -27, -32), (62, 48, 44), tilt_deg=-32)], iodine.heart_muscle, chest)
    right = [Ellipsoid((-20, -34, -26), (22, 25, 32)), Ellipsoid((14, -50, -44), (36, 17, 24), tilt_deg=-20)]
    left = [Ellipsoid((45, -18, -48), (31, 22, 23), tilt_deg=-35), Ellipsoid((8, 8, -12), (30, 18, 21))]
    paint(hu, grid, right, iodine.right_heart, chest)
    paint(hu, grid, left, iodine.left_heart, chest)


def _paint_great_vessels(hu: NDArray[np.float32], grid: Grid, iodine: Iodine) -> None:
    descending: list[Point] = [(27, spine_y(z) - 25, z) for z in np.arange(48.0, -240.0, -12.0).tolist()]
    arch: list[Point] = [(-10, -34, 42), (-7, -24, 62), (4, -6, 73), (16, 16, 70), (23, 34, 60), descending[0]]
    ascending: list[Point] = [(4, -22, -10), (-8, -32, 14), (-12, -36, 30), arch[0]]
    routes = ((ascending, 16.0), (arch, 14.0), (descending, 12.5))
    for wall, value in ((1.5, MUSCLE_HU), (0.0, iodine.aorta)):  # every wall before any lumen: the pieces overlap
        for route, radius in routes:
            paint(hu, grid, tube(route, radius + wall), value)
    branches: tuple[tuple[Point, Point, Point], ...] = (
        ((-4, -14, 76), (-16, -14, 110), (-30, -6, 190)),
        ((6, -2, 78), (16, 0, 110), (28, -2, 190)),
        ((16, 12, 74), (26, 16, 108), (60, 10, 128)),
    )
    for branch in branches:
        paint(hu, grid, tube(branch, 5.5, 4.0), iodine.aorta)
    trunk: list[Point] = [(16, -46, -14), (18, -42, 8), (16, -24, 24)]
    right: list[Point] = [(16, -24, 24), (-10, -6, 22), (-38, 0, 16)]
    left: list[Point] = [(16, -24, 24), (30, 2, 30), (42, 22, 24)]
    paint(hu, grid, tube(trunk, 14.0) + tube(right, 11.0, 8.0) + tube(left, 11.0, 8.0), iodine.pulmonary)
    upper_cava: list[Point] = [(-26, -22, -8), (-30, -24, 30), (-28, -26, 82), (-40, -30, 120)]
    lower_cava: list[Point] = [(-20, -10, -50), (-24, 6, -84), (-22, 22, -130), (-22, 26, -240)]
    crossing: list[Point] = [(-28, -30, 84), (10, -44, 92), (44, -34, 112)]
    paint(hu, grid, tube(upper_cava, 9.5, 7.0) + tube(crossing, 6.5), iodine.cava)
    paint(hu, grid, tube(lower_cava, 12.0), (iodine.cava + iodine.liver) / 2)


def _paint_airway(hu: NDArray[np.float32], grid: Grid) -> None:
    trachea: list[Point] = [(-1, 2, 200), (0, 8, 110), (1, 18, 50), (1, 20, 40)]
    bronchi: list[list[Point]] = [[(1, 20, 40), (-26, 22, 20), (-48, 24, 0)], [(1, 20, 40), (30, 26, 14), (52, 30, -6)]]
    gullet: list[Point] = [(6, 26, 190), (6, 36, 60), (10, 34, -40), (22, 20, -84)]
    paint(hu, grid, tube(gullet, 7.0), MUSCLE_HU - 12)
    for points, radius in ((trachea, 9.0), (bronchi[0], 6.5), (bronchi[1], 6.0)):
        end = None if points is trachea else 3.0
        paint(hu, grid, tube(points, radius + 1.6, None if end is None else end + 1), MUSCLE_HU)
        paint(hu, grid, tube(points, radius, end), AIR_HU + 8)


def _paint_tree(hu: NDArray[np.float32], grid: Grid, lungs: NDArray[np.bool_], vessel_hu: float, seed: int) -> None:
    """Paint the lungs' vessels: from each hilum, branches that fork, shrink and part."""
    random = np.random.default_rng(seed)
    for hilum, side in (((-38.0, 2.0, 14.0), -1.0), ((42.0, 18.0, 18.0), 1.0)):
        for heading in _headings(side, random):
            for rod in _branch(np.array(hilum), heading, 5.2, random):
                # A vessel thinner than a voxel is averaged with the lung round it.
                share = min(1.0, rod.start_radius_mm / 1.6)
                paint(hu, grid, [rod], LUNG_HU + share * (vessel_hu - LUNG_HU), lungs)


def _headings(side: float, random: np.random.Generator) -> list[NDArray[np.float64]]:
    """Return where the main branches of one lung set out to: a fan from apex to base, front and back."""
    angles = np.linspace(-70, 78, 11)
    fan = [(side * np.cos(np.radians(a)), random.uniform(-0.75, 0.75), np.sin(np.radians(a))) for a in angles]
    return [np.array(one) / np.linalg.norm(one) for one in fan]


def _branch(
    start: NDArray[np.float64], heading: NDArray[np.float64], radius_mm: float, random: np.random.Generator
) -> list[Rod]:
    """Return one branch and all that forks off it."""
    if radius_mm < 0.8:
        return []
    end = start + heading * (9.0 + 4.2 * radius_mm) * random.uniform(0.8, 1.2)
    rods = [Rod(tuple(start.tolist()), tuple(end.tolist()), radius_mm, 0.82 * radius_mm)]
    for shrink in (random.uniform(0.74, 0.84), random.uniform(0.56, 0.7)):
        turned = heading + random.normal(0, 0.36, 3)
        rods += _branch(end, turned / np.linalg.norm(turned), radius_mm * shrink, random)
    return rods
