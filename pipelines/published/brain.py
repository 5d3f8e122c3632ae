"""Recipes MRIBET_T1 and MRIBET_MRA: the brain in MR, slice by slice."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.pipeline import Found, RefusalError, Volume, with_removed
from pipelines.published.runner import Floats, Network
from pipelines.published.stages import ArrayStage, Batch, Output, Raw, Tell, as_trained

LEAST = 16  # pixels per axis of a slice: four halvings
_SQUARE = np.ones((5, 5), np.uint8)
_MRA_PERCENTILES = (40.0, 98.5)
_AT_ONCE = 4  # slices; more take memory and no less time on a CPU


def t1_prepared(values: NDArray[np.float32]) -> Floats:
    """(z, y, x) -> (z, 1, x, y): unscaled, the network has learnt the scanner's range."""
    return _slices(values)


def mra_prepared(values: NDArray[np.float32]) -> Floats:
    """(z, y, x) -> (z, 1, x, y), the volume's 40th to 98.5th percentile and one more brought to 0 .. 1."""
    low, high = np.percentile(values.astype(np.float64), _MRA_PERCENTILES)
    return _slices(np.clip((values - low) / (high - low + 1), 0, 1))


def _slices(values: NDArray[np.floating]) -> Floats:
    if min(values.shape[1:]) < LEAST:
        raise RefusalError(f"slices of {values.shape[1:]} pixels are too small, at least {LEAST} are needed")
    return np.ascontiguousarray(values.transpose(0, 2, 1)[:, None], np.float32)


def brain_of(logits: Floats) -> NDArray[np.uint8]:
    """(z, 1, x, y) logits -> (z, y, x): probability at least a half, opened, the largest part, its holes filled."""
    opened = opened_masks(logits)
    parts, count = ndimage.label(opened)
    if count:
        sizes = np.bincount(parts.ravel())[1:]
        opened = np.isin(parts, 1 + np.flatnonzero(sizes == sizes.max())).astype(np.uint8)
    return np.asarray(ndimage.binary_fill_holes(opened), np.uint8).transpose(0, 2, 1)


def opened_masks(logits: Floats) -> NDArray[np.uint8]:
    """(z, 1, x, y) logits -> (z, x, y): probability at least a half, opened slice by slice."""
    return np.stack([cv2.morphologyEx(one, cv2.MORPH_OPEN, _SQUARE) for one in (logits[:, 0] >= 0).astype(np.uint8)])


class BrainStage(ArrayStage):
    """One MR volume; the result is the mask (slices, rows, columns), uint8, on the source grid.

    A slice is (x, y), columns first, as NIfTI stores it; DICOM is brought to axial LPS before.
    """

    def __init__(self, network: Network, tell: Tell, *, mra: bool) -> None:
        super().__init__(network, tell)
        self.mra = mra

    def prepare(self, image: Volume, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return the slices, a few per input: (n, 1, x, y)."""
        array = as_trained(image).array
        slices = mra_prepared(array) if self.mra else t1_prepared(array)
        return Batch(tuple(slices[k : k + _AT_ONCE] for k in range(0, len(slices), _AT_ONCE)))

    def finish(self, output: Output, image: Volume) -> Found:
        """Cut, clean, and bring the mask back."""
        logits, grid = np.concatenate(output.outputs), as_trained(image)
        found = self.tell(grid.restore(brain_of(logits)), image)
        return with_removed(found, grid.restore(opened_masks(logits).transpose(0, 2, 1) > 0), image)

    def raw(self, batch: Batch, output: Output, image: Volume) -> Raw:  # noqa: ARG002  # as every stage's
        """Return volumes (x, y, z), as published: `pre` (1, 1, x, y, z), logits `out`, and the mask."""
        logits = np.concatenate(output.outputs)
        pre = np.concatenate(batch.inputs).transpose(1, 2, 3, 0)[None]
        return {"pre": pre, "out": logits[:, 0].transpose(1, 2, 0), "mask": brain_of(logits).transpose(2, 1, 0)}
