"""Measures of one organ's mask in pictures: a radiograph, or photographs; None where a measure cannot be taken."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_RING_SHARE: Final = 0.03  # of the picture's longer side: width of the ring that a mask is compared with
_BLUR_SHARE: Final = 0.02  # of the picture's longer side: the standard deviation of a blur
_REST_SHARE: Final = 0.06  # of the picture; a whole lung takes more
_LIT: Final = 10  # of 255; the border of an endoscope's picture is darker
Mask = NDArray[np.bool_]


class Flat:
    """One mask (frames, rows, columns) in pictures (frames, rows, columns[, 3]), 0 .. 255."""

    is_cut: Final = False

    def __init__(self, mask: Mask, pictures: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> None:
        """Take only the frames in which something is marked."""
        showing = mask.any(axis=(1, 2))
        self._mask = mask[showing]
        self._pictures = pictures[showing]
        self._spacing_mm = spacing_mm

    @property
    def is_measurable(self) -> bool:
        """Say whether anything is marked."""
        return len(self._mask) > 0

    @cached_property
    def image_share(self) -> float:
        """Marked share of the picture; of several pictures the largest."""
        return float(self._mask.mean(axis=(1, 2)).max())

    @cached_property
    def height_mm(self) -> float | None:
        """Extent from row to row; None without a spacing."""
        rows = np.flatnonzero(self._mask.any(axis=(0, 2)))
        return None if self._spacing_mm is None else float(rows[-1] - rows[0] + 1) * self._spacing_mm[0]

    @cached_property
    def breadth_mm(self) -> float | None:
        """Extent from column to column; None without a spacing."""
        columns = np.flatnonzero(self._mask.any(axis=(0, 1)))
        return None if self._spacing_mm is None else float(columns[-1] - columns[0] + 1) * self._spacing_mm[1]

    @cached_property
    def convexity(self) -> float:
        """Marked area as a share of its convex hull's; of several pictures the smallest."""
        shares = []
        for mask in self._mask:
            places = np.argwhere(mask).astype(np.int32)
            corners = np.concatenate([places + corner for corner in ((0, 0), (0, 1), (1, 0), (1, 1))])
            shares.append(len(places) / cv2.contourArea(cv2.convexHull(corners)))
        return float(min(shares))

    @cached_property
    def edge_share(self) -> float:
        """Share of the mask in the outermost rows and columns."""
        return float(1 - self._mask[:, 1:-1, 1:-1].sum() / self._mask.sum())

    @cached_property
    def darkness(self) -> float:
        """How much darker the marked area is than the ring around it, in the picture's own standard deviations."""
        size = 1 + 2 * round(_RING_SHARE * max(self._mask.shape[1:]))
        picture = self._grey[0].astype(np.float64)
        mask = self._mask[0].astype(np.uint8)
        ring = (cv2.dilate(mask, np.ones((size, size), np.uint8)) > 0) & ~self._mask[0]
        spread = float(picture.std())
        return float((picture[ring].mean() - picture[self._mask[0]].mean()) / spread) if ring.any() and spread else 0.0

    @cached_property
    def structure(self) -> float:
        """Share of the picture's standard deviation that is left once it is blurred: noise and grids leave nothing."""
        picture = self._grey[0].astype(np.float32)
        spread = float(picture.std())
        blurred = cv2.GaussianBlur(picture, (0, 0), _BLUR_SHARE * max(picture.shape))
        return float(blurred.std()) / spread if spread else 0.0

    @cached_property
    def slenderness(self) -> float | None:
        """Height by breadth, in pixels; None of a small rest, which may have any form."""
        if self.image_share < _REST_SHARE:
            return None
        rows, columns = self._mask.any(axis=(0, 2)), self._mask.any(axis=(0, 1))
        return float(np.ptp(np.flatnonzero(rows)) + 1) / float(np.ptp(np.flatnonzero(columns)) + 1)

    @property
    def _grey(self) -> NDArray[np.uint8] | NDArray[np.float64]:
        return self._pictures if self._pictures.ndim == 3 else self._pictures.mean(axis=-1)

    @cached_property
    def field_share(self) -> float:
        """Share of the mask that lies on lit pixels, not on the border around an endoscope's picture."""
        return float((self._mask & (self._pictures.max(axis=-1) >= _LIT)).sum() / self._mask.sum())

    @cached_property
    def colour(self) -> float:
        """Mean difference between the brightest and the darkest colour of lit pixels, as a share of the brightest."""
        brightest = self._pictures.max(axis=-1).astype(np.float64)
        spread = brightest - self._pictures.min(axis=-1)
        lit = brightest >= _LIT
        return float((spread[lit] / brightest[lit]).mean()) if lit.any() else 0.0
