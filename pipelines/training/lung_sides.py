"""Telling the two lungs of one mask apart."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.training.losses import UNKNOWN


def sides(mask: NDArray[np.uint8], middle: float | None = None) -> NDArray[np.uint8]:
    """Split a lung mask (255 lung) into 1 image-left and 2 image-right lung, column by column where they touch.

    `middle` is the column between the lungs, for where the mask's own components do not show it.
    """
    count, labels, stats, centres = cv2.connectedComponentsWithStats((mask == 255).astype(np.uint8))
    between = _middle(middle, stats, centres) if count > 1 else mask.shape[1] / 2
    lungs = np.where(mask == UNKNOWN, UNKNOWN, 0).astype(np.uint8)
    columns = np.broadcast_to(np.arange(mask.shape[1]), mask.shape)
    for label in range(1, count):
        left, width = stats[label, cv2.CC_STAT_LEFT], stats[label, cv2.CC_STAT_WIDTH]
        astride = left < between - 0.25 * width and left + width > between + 0.25 * width
        position = columns if astride else np.full(mask.shape, centres[label, 0])
        lungs[labels == label] = np.where(position < between, 1, 2)[labels == label]
    return lungs


def _middle(told: float | None, stats: NDArray[Any], centres: NDArray[Any]) -> float:
    """Return the column between the lungs: from two clear components, else as told, else the picture's middle."""
    order = np.argsort(stats[1:, cv2.CC_STAT_AREA])[::-1] + 1
    if len(order) > 1 and stats[order[1], cv2.CC_STAT_AREA] > 0.2 * stats[order[0], cv2.CC_STAT_AREA]:
        return float(centres[order[:2], 0].mean())
    return float(stats[0, cv2.CC_STAT_WIDTH] / 2) if told is None else told
