"""Bringing a picture to a network's square and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.pipeline import Radiograph


@dataclasses.dataclass(frozen=True, slots=True)
class Letterbox:
    """A whole picture, centred in a square of `size` pixels with its aspect kept."""

    rows: int  # of the source
    columns: int
    size: int

    @property
    def scale(self) -> float:
        """Square pixels per source pixel."""
        return self.size / max(self.rows, self.columns)

    @property
    def inner(self) -> tuple[int, int]:
        """Rows and columns of the picture inside the square."""
        return max(1, round(self.rows * self.scale)), max(1, round(self.columns * self.scale))

    @property
    def offset(self) -> tuple[int, int]:
        """First row and column of the picture inside the square."""
        rows, columns = self.inner
        return (self.size - rows) // 2, (self.size - columns) // 2

    def put(self, picture: NDArray[Any], interpolation: int = cv2.INTER_AREA) -> NDArray[Any]:
        """(rows, columns) -> (size, size), 0 outside the picture."""
        rows, columns = self.inner
        top, left = self.offset
        square = np.zeros((self.size, self.size), picture.dtype)
        square[top : top + rows, left : left + columns] = cv2.resize(
            picture, (columns, rows), interpolation=interpolation
        )
        return square

    def take(self, square: NDArray[np.float32]) -> NDArray[np.float32]:
        """(size, size) -> (rows, columns), bilinear."""
        rows, columns = self.inner
        top, left = self.offset
        inside = square[top : top + rows, left : left + columns]
        resized = cv2.resize(inside, (self.columns, self.rows), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.float32)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Bring a column and row edge of the square back to the source picture."""
        rows, columns = self.inner
        top, left = self.offset
        return (x - left) * self.columns / columns, (y - top) * self.rows / rows


def letterbox(image: Radiograph, size: int) -> Letterbox:
    """Return how the radiograph's picture lies in a square of `size` pixels."""
    rows, columns = image.picture.shape
    return Letterbox(rows, columns, size)


def levels(picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Return the 1st and 99th percentile of a picture, the black border left out."""
    inside = picture[picture > 2]
    low, high = np.percentile(inside if inside.size else picture, [1, 99])
    return float(low), float(max(high, low + 1))


def stretched(picture: NDArray[np.uint8], low: float, high: float) -> NDArray[np.float32]:
    """Bring low .. high to -1 .. 1, a fifth more at either end kept."""
    values = (picture.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.clip(values, -0.2, 1.2) * np.float32(2) - np.float32(1)


def standardised(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Stretch a picture by its own levels."""
    return stretched(picture, *levels(picture))
