"""Where an anchor-based detector on a square of 512 pixels looks, and what it lets pass; for any framework."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVELS: Final = ((32, 8), (64, 16), (128, 32), (256, 64), (512, 128))  # base size and stride of P3 .. P7, pixels
RATIOS: Final = (0.5, 1.0, 2.0)  # height by width
SCALES: Final = (2.0**0, 2.0 ** (1 / 3), 2.0 ** (2 / 3))
DELTA_STD: Final = 0.2
SCORE_ABOVE: Final = 0.85
IOU_ABOVE: Final = 0.5
MOST: Final = 300  # detections per class, and over all classes


@functools.cache
def anchors(size: int = 512) -> NDArray[np.float32]:
    """Return the corners x1, y1, x2, y2 of every anchor: (49104, 4) for 512; levels, then cells row by row."""
    found = []
    for base, stride in LEVELS:
        areas_ratios = [((base * scale) ** 2, ratio) for ratio in RATIOS for scale in SCALES]
        width = np.array([np.sqrt(area / ratio) for area, ratio in areas_ratios])
        half = np.stack([width, width * [ratio for _, ratio in areas_ratios]], 1) / 2  # (9, 2)
        middle = (np.arange(size // stride) + 0.5) * stride
        y, x = np.meshgrid(middle, middle, indexing="ij")
        centre = np.stack([x.ravel(), y.ravel()], 1)[:, None]  # (cells, 1, 2)
        found.append(np.concatenate([centre - half, centre + half], 2).reshape(-1, 4))
    return np.asarray(np.concatenate(found), np.float32)
