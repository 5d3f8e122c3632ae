"""Recipes LiverSeg and BBBSeg: zoom to the network's grid, one pass over the whole volume, zoom back.

Zooms are linear with the corner voxels' centres aligned, as the weights were trained. Spacing is taken per axis, and
rows and columns are scaled each by their own number, which the original mixed up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.images import Oriented
from dicom_node.pipeline import Found, RefusalError, Volume
from pipelines.published.runner import Floats
from pipelines.published.stages import ArrayStage, Batch, Output, Raw, as_trained

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


class ZoomedStage(ArrayStage):
    """One volume, zoomed; the result is the labels (slices, rows, columns) on the source grid."""

    def finish(self, output: Output, image: Volume) -> Found:
        """Bring the labels back to the source grid."""
        grid = self.grid(image)
        return self.tell(grid.restore(labels_on(output.outputs[0][0], grid.array.shape)), image)

    def raw(self, batch: Batch, output: Output, image: Volume) -> Raw:
        """Return what every stage does, and the likeliest class on the network's grid and on the source's."""
        out = output.outputs[0][0]
        masks = {"mask": labels_on(out, self.grid(image).array.shape), "net_mask": out.argmax(-1).astype(np.uint8)}
        return {**super().raw(batch, output, image), **masks}

    def grid(self, image: Volume) -> Oriented:
        """Return the volume in the axes that the network was trained in, slices to the head."""
        return image.oriented("SPL")


class LiverStage(ZoomedStage):
    """CT at 5 mm; label 1 is liver."""

    def prepare(self, image: Volume, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, d, 256, 256, 1)."""
        grid = self.grid(image)
        return Batch((liver_prepared(grid.array, grid.spacing_mm[0])[None],))


class BlackBloodStage(ZoomedStage):
    """Black-blood MR at half its resolution; label 1 is what the weights mark."""

    def prepare(self, image: Volume, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, d, h, w, 1), every axis halved."""
        return Batch((black_blood_prepared(self.grid(image).array)[None],))

    def grid(self, image: Volume) -> Oriented:
        """Return a file without a DICOM header as it is stored."""
        return as_trained(image)
