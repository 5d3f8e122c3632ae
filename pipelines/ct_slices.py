"""Axial CT slices for a slice-wise network: which show chest, and how they are brought to its square."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIZE = 256  # pixels of the network's square
PIXEL_MM = 1.5
WINDOWS_HU = ((-100.0, 300.0), (0.0, 150.0), (-1000.0, 500.0))  # soft tissue, blood pool, overview
_COARSE_MM = 3.0


def resampled(hu: NDArray[np.float32], spacing_mm: tuple[float, float]) -> NDArray[np.float32]:
    """Bring one slice to PIXEL_MM and centre it in the square, air around it: (SIZE, SIZE), HU."""
    scale = (spacing_mm[1] / PIXEL_MM, spacing_mm[0] / PIXEL_MM)  # columns, rows
    centre = (hu.shape[1] / 2, hu.shape[0] / 2)
    matrix = np.array(
        [[scale[0], 0, SIZE / 2 - scale[0] * centre[0]], [0, scale[1], SIZE / 2 - scale[1] * centre[1]]], np.float32
    )
    smooth = cv2.GaussianBlur(hu, (0, 0), 0.5 / min(scale)) if min(scale) < 1 else hu
    square = cv2.warpAffine(smooth, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderValue=-1024.0)
    return np.asarray(square, np.float32)


def windowed(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) HU -> (windows, h, w), each window stretched to -1 .. 1."""
    channels = [np.clip((hu - low) / (high - low), 0, 1) * 2 - 1 for low, high in WINDOWS_HU]
    return np.stack(channels).astype(np.float32)


def lung_share(hu: NDArray[np.float32], spacing_mm: tuple[float, float]) -> float:
    """Return how much of the body's cross-section is aerated lung, 0 .. 1.

    Lung is -950 .. -500 HU, enclosed by the body; bowel gas is thinner and room air is not enclosed.
    """
    size = [max(8, round(n * mm / _COARSE_MM)) for n, mm in zip(hu.shape, spacing_mm, strict=True)]
    coarse = cv2.resize(hu, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    body = coarse > -300
    labels, count = ndimage.label(body)
    if count == 0:
        return 0.0
    largest = labels == 1 + int(np.argmax(ndimage.sum_labels(body, labels, range(1, count + 1))))
    inside = ndimage.binary_fill_holes(ndimage.binary_closing(largest))  # a thin chest wall may have gaps
    lung = ndimage.binary_opening(inside & (coarse > -950) & (coarse < -500))
    return float(lung.sum() / inside.sum())
