"""Recipes LiverSeg and BBBSeg: zoom to the network's grid, one pass over the whole volume, zoom back.

Zooms are linear with the corner voxels' centres aligned, as the weights were trained. Spacing is taken per axis, and
rows and columns are scaled each by their own number, which the original mixed up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.pipeline import Found, RefusalError
from pipelines.published.runner import Floats
from pipelines.published.stages import AnyVolume, ArrayStage, Batch, Output

LEAST = 16  # voxels per axis: four halvings
LIVER_SLICE_MM = 5.0
LIVER_SIZE = 256
_LIVER_HU = (10.0, 190.0)
_LIVER_MEAN, _LIVER_STD = 29.311405133024834, 43.38181786843102
_BLACK_BLOOD = (-100.0, 20.0)  # on MR values; from a window that was read as level and width, and must stay


def liver_prepared(hu: NDArray[np.float32], slice_mm: float) -> Floats:
    """(z, y, x) HU -> (d, 256, 256, 1), slices of 5 mm."""
    factors = (slice_mm / LIVER_SLICE_MM, LIVER_SIZE / hu.shape[1], LIVER_SIZE / hu.shape[2])
    clipped = np.clip(_zoomed(hu, factors), *_LIVER_HU)
    return np.asarray((clipped - _LIVER_MEAN) / _LIVER_STD, np.float32)[..., None]


def black_blood_prepared(values: NDArray[np.float32]) -> Floats:
    """(z, y, x) MR values -> (d, h, w, 1), every axis halved."""
    low, high = _BLACK_BLOOD
    clipped = np.clip(_zoomed(values, (0.5, 0.5, 0.5)), low, high)
    return np.asarray((clipped - low) / (high - low), np.float32)[..., None]


def labels_on(probabilities: Floats, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """(d, h, w, classes) -> the likeliest class on a grid of `shape`, linear between 0 and 1 and rounded half up."""
    labels = probabilities.argmax(-1)
    factors = [wanted / n for wanted, n in zip(shape, labels.shape, strict=True)]
    return np.asarray(ndimage.zoom(labels, factors, order=1, mode="constant"), np.uint8)


def _zoomed(array: NDArray[np.float32], factors: tuple[float, float, float]) -> NDArray[np.float32]:
    sizes = [round(n * factor) for n, factor in zip(array.shape, factors, strict=True)]
    if min(sizes) < LEAST:
        raise RefusalError(
            f"{array.shape} voxels become {tuple(sizes)} on the network's grid, at least {LEAST} per axis are needed"
        )
    return np.asarray(ndimage.zoom(array.astype(np.float32), factors, order=1, mode="constant"), np.float32)


class LiverStage(ArrayStage):
    """One CT volume; the result is the labels (slices, rows, columns) on the source grid, 1 liver."""

    def prepare(self, image: AnyVolume, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, d, 256, 256, 1), slices to the head."""
        oriented = image.oriented("SPL")
        return Batch((liver_prepared(oriented.array, oriented.spacing_mm[0])[None],))

    def finish(self, output: Output, image: AnyVolume) -> Found:
        """Bring the labels back to the source grid."""
        oriented = image.oriented("SPL")
        return self.tell(oriented.restore(labels_on(output.outputs[0][0], oriented.array.shape)), image)


class BlackBloodStage(LiverStage):
    """One black-blood MR volume; the result is the labels (slices, rows, columns) on the source grid, 1 lesion."""

    def prepare(self, image: AnyVolume, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, d, h, w, 1), every axis halved."""
        return Batch((black_blood_prepared(image.oriented("SPL").array)[None],))
