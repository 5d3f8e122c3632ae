"""Filling boxes of an image at its full bit depth, so that nothing outside them changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

METHOD: Final = "membrane (Laplace equation) from the pixels around each box, with noise of their strength"

Rectangle: TypeAlias = tuple[int, int, int, int]  # x1, y1, x2, y2: columns x1 <= x < x2, rows y1 <= y < y2
_RING: Final = 8  # pixels around a box in which the noise is measured


def fill_boxes(stored: NDArray[Any], boxes: Iterable[Rectangle]) -> NDArray[Any]:
    """Return a copy of (rows, columns) integers with each box filled from its surroundings; the same type and range."""
    filled = stored.copy()
    low, high = int(stored.min()), int(stored.max())
    for x1, y1, x2, y2 in boxes:
        smooth = _membrane(filled, (x1, y1, x2, y2))
        random = np.random.default_rng((x1, y1, x2, y2))  # the same image gives the same pixels again
        noisy = smooth + random.normal(0, 1, smooth.shape) * _noise(filled, (x1, y1, x2, y2))
        filled[y1:y2, x1:x2] = np.clip(np.rint(noisy), low, high).astype(stored.dtype)
    return filled


def _membrane(image: NDArray[Any], box: Rectangle) -> NDArray[np.float64]:
    """Solve Laplace's equation in the box with the pixels just outside as its edge; free where the image ends.

    A free side is a mirror: the box is doubled there, and half of the solution is kept.
    """
    x1, y1, x2, y2 = box
    rows, columns = image.shape
    if x2 - x1 >= columns or y2 - y1 >= rows:
        return np.full((y2 - y1, x2 - x1), float(np.median(image)))
    top = image[y1 - 1, x1:x2].astype(float) if y1 > 0 else None
    bottom = image[y2, x1:x2].astype(float) if y2 < rows else None
    left = image[y1:y2, x1 - 1].astype(float) if x1 > 0 else None
    right = image[y1:y2, x2].astype(float) if x2 < columns else None
    if left is None or right is None:
        left, right, top, bottom = _doubled(left, right, top, bottom)
    if top is None or bottom is None:
        top, bottom, left, right = _doubled(top, bottom, left, right)
    solved = _laplace(top, bottom, left, right)  # type: ignore[arg-type]  # one of each pair is there: box < image
    solved = solved[: y2 - y1] if y1 > 0 else solved[-(y2 - y1) :]
    return solved[:, : x2 - x1] if x1 > 0 else solved[:, -(x2 - x1) :]


Side: TypeAlias = NDArray[np.float64] | None


def _doubled(near: Side, far: Side, along: Side, across: Side) -> tuple[Side, Side, Side, Side]:
    """Mirror the box at its missing side: the edge that is there stands at both ends, the others go there and back."""
    edge = near if near is not None else far
    if near is not None:
        stretched = [None if side is None else np.concatenate([side, side[::-1]]) for side in (along, across)]
    else:
        stretched = [None if side is None else np.concatenate([side[::-1], side]) for side in (along, across)]
    return edge, edge, stretched[0], stretched[1]


def _laplace(
    top: NDArray[np.float64], bottom: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve the five-point Laplace equation on a rectangle from its four edges, by sine transform."""
    rows, columns = len(left), len(top)
    load = np.zeros((rows, columns))
    load[0] += top
    load[-1] += bottom
    load[:, 0] += left
    load[:, -1] += right
    eigen_rows = 2 - 2 * np.cos(np.pi * np.arange(1, rows + 1) / (rows + 1))
    eigen_columns = 2 - 2 * np.cos(np.pi * np.arange(1, columns + 1) / (columns + 1))
    spectrum = fft.dstn(load, type=1) / (eigen_rows[:, None] + eigen_columns[None])
    return np.asarray(fft.idstn(spectrum, type=1), np.float64)


def _noise(image: NDArray[Any], box: Rectangle) -> float:
    """Return the standard deviation of the fine grain in a ring around the box, robust against edges."""
    x1, y1, x2, y2 = box
    top, left = max(0, y1 - _RING), max(0, x1 - _RING)
    around = image[top : y2 + _RING, left : x2 + _RING].astype(float)
    grain = around - ndimage.gaussian_filter(around, 1.0)
    ring = np.ones(around.shape, bool)
    ring[y1 - top : y2 - top, x1 - left : x2 - left] = False
    return float(1.4826 * np.median(np.abs(grain[ring]))) if ring.any() else 0.0
