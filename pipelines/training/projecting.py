"""Chest radiographs made from CT: slices summed along one axis and stacked into a picture of a whole chest.

Nobody's licensed lateral was at hand, and no CT of a whole chest either. So profiles of single slices of many patients
are stacked: chest slices in the middle, belly slices under a drawn diaphragm, a thick shoulder above.
"""

from __future__ import annotations

import dataclasses
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.ct_slices import lung_share
from pipelines.training.data import CtSlice
from pipelines.training.task import Random

SIZE: Final = 160
PIXEL_MM: Final = 2.5
Direction: TypeAlias = Literal["frontal", "lateral"]
_AXIS: Final = {"frontal": 0, "lateral": 1}  # of a slice (rows, columns) along which the rays pass
_CHEST_SHARE: Final = 0.12  # of the cross-section that is lung, from which a slice is a chest's


@dataclasses.dataclass(frozen=True, slots=True)
class Profiles:
    """What rays along one axis meet, per slice: (n, SIZE), in mm of water, the body in the middle."""

    chest: NDArray[np.float32]
    belly: NDArray[np.float32]
    detail: NDArray[
        np.float32
    ]  # (rows, SIZE): ribs, vertebrae and vessels of contiguous slices, without the coarse shape


def profiles(slices: list[CtSlice], contiguous: list[CtSlice], direction: Direction) -> Profiles:
    """Project single slices, and the details of a stack."""
    shares = [lung_share(one.hu, (one.spacing_mm, one.spacing_mm)) for one in slices]
    rays = np.stack([_profile(one, direction) for one in slices])
    chest = np.array(shares) >= _CHEST_SHARE
    thin = np.stack([_profile(one, direction) for one in contiguous])
    stack = cv2.resize(thin, (SIZE, max(2, int(len(thin) / PIXEL_MM))), interpolation=cv2.INTER_AREA)
    detail = (stack - cv2.GaussianBlur(stack, (0, 0), 3)) * (cv2.blur(stack, (9, 9)) > 60)
    return Profiles(rays[chest], rays[~chest], np.asarray(detail, np.float32))


def _profile(one: CtSlice, direction: Direction) -> NDArray[np.float32]:
    body = ndimage.binary_opening(one.hu > -300, iterations=2)
    labels, _ = ndimage.label(body)
    body = ndimage.binary_fill_holes(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))
    water = np.where(body, np.clip(one.hu + 1000, 0, 2500) / 1000, 0)
    rays = water.sum(_AXIS[direction]) * one.spacing_mm
    inside = np.flatnonzero(rays > 20)
    middle = (inside[0] + inside[-1]) / 2
    positions = middle + (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL_MM / one.spacing_mm
    return np.asarray(np.interp(positions, np.arange(len(rays)), rays, left=0, right=0), np.float32)


def drawn(source: Profiles, direction: Direction, random: Random) -> NDArray[np.uint8]:
    """Return one made-up radiograph, (SIZE, SIZE), bright where little passes."""
    chest = _stacked(source.chest, random)
    belly = _stacked(source.belly, random)
    columns = (np.arange(SIZE, dtype=np.float64) - SIZE / 2) * PIXEL_MM
    rows = np.arange(SIZE)[:, None]
    water = _mixed(chest, belly, (rows - _diaphragm(columns, direction, random)) / random.uniform(0.4, 2.5))
    shoulder = belly * random.uniform(0.8, 1.3) + 60 * (belly > 0)
    bent = 0.12 * random.uniform(-1, 1) * columns + random.uniform(5, 30)
    water = _mixed(water, shoulder, (bent[None] - rows) / random.uniform(3, 9))
    water = water + random.uniform(0.3, 1.5) * _detail(source.detail, random) * (water > 10)
    water = _curved(water, random)
    low, high = np.percentile(water, [random.uniform(0, 3), random.uniform(97, 100)])
    grey = np.clip((water - low) / max(high - low, 1), 0, 1) ** np.exp(random.uniform(-0.5, 0.5))
    return np.asarray(grey * 255, np.uint8)


def _detail(detail: NDArray[np.float32], random: Random) -> NDArray[np.float32]:
    """Repeat the details over the height, at another size."""
    whole = np.tile(np.concatenate([detail, detail[::-1]]), (7, 1))
    start, rows = int(random.integers(2 * len(detail))), int(SIZE * random.uniform(0.6, 1.6))
    return np.asarray(cv2.resize(whole[start : start + rows], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR), np.float32)


def _curved(water: NDArray[np.float32], random: Random) -> NDArray[np.float32]:
    """Bend the body as a back is bent, and let it lean."""
    rows = np.linspace(-1, 1, SIZE, dtype=np.float32)
    bend, lean, swell = random.uniform(-12, 12), random.uniform(-10, 10), random.uniform(-0.12, 0.12)
    x = np.arange(SIZE, dtype=np.float32)[None] - SIZE / 2
    across = x * (1 + swell * rows[:, None]) + bend * rows[:, None] ** 2 + lean * rows[:, None] + SIZE / 2
    down = np.repeat(np.arange(SIZE, dtype=np.float32)[:, None], SIZE, axis=1)
    return np.asarray(cv2.remap(water, across.astype(np.float32), down, cv2.INTER_LINEAR), np.float32)


def _stacked(rays: NDArray[np.float32], random: Random) -> NDArray[np.float32]:
    """Fill the height with a few slices' profiles, one passing into the next, each at its own width and place."""
    count = int(random.integers(3, 8))
    chosen = rays[random.integers(len(rays), size=count)]
    widths = random.uniform(0.8, 1.2) * (1 + random.uniform(-0.08, 0.08, count))
    shifts = np.cumsum(random.uniform(-3, 3, count))
    positions = np.arange(SIZE, dtype=np.float32) - SIZE / 2
    own = [np.interp(positions / w + s, positions, one) for one, w, s in zip(chosen, widths, shifts, strict=True)]
    return np.asarray(cv2.resize(np.stack(own).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))


def _diaphragm(columns: NDArray[np.float64], direction: Direction, random: Random) -> NDArray[np.float64]:
    """Return the row of the diaphragm at each column: two domes from the front, one that falls to the back."""
    base, dome = random.uniform(0.6, 0.85) * SIZE, random.uniform(8, 25)
    if direction == "frontal":
        centres, width = (-75.0, 75.0), 70.0
    else:
        centres, width = (random.uniform(-60, -10),) * 2, random.uniform(70, 110)
    heights = [dome * np.exp(-(((columns - centre) / width) ** 2)) for centre in centres]
    return np.asarray(base - np.maximum(*heights) + random.uniform(-4, 4) * columns / 100)


def _mixed(one: NDArray[np.float32], other: NDArray[np.float32], towards: NDArray[np.float64]) -> NDArray[np.float32]:
    share = 1 / (1 + np.exp(-np.clip(towards, -30, 30)))
    return np.asarray(one * (1 - share) + other * share, np.float32)
