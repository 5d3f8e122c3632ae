"""Three neighbouring slices at a time, across each of the three axes of a volume of even voxels, and a vote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from dicom_node.pipeline import Found, Volume, with_removed
from pipelines.compact import probabilities
from pipelines.published.runner import Floats, Network

PIXEL_MM: Final = 2.0
OFFSETS: Final = (-1, 0, 1)  # voxels from the slice that is judged
SLABS: Final = len(OFFSETS)
_WHITE: Final = 98.5  # percentile of the volume
_CUT: Final = 0.5
_BRIDGE: Final = 3  # voxels from either side
_MULTIPLE: Final = 32  # pixels: five halvings


class SlabStage:
    """One MR volume; the result is the mask (slices, rows, columns), uint8: one part without holes."""

    def __init__(self, network: Network, tell: Callable[[NDArray[np.uint8], Volume], Found]) -> None:
        """Take a network of one logit for the middle slice, and what puts the mask into findings."""
        self.network = network
        self.tell = tell

    def prepare(self, image: Volume, previous: Found | None) -> Floats:  # noqa: ARG002  # the only stage
        """Return the volume in even voxels."""
        return even(image)

    def infer(self, batch: Floats) -> Floats:
        """Return the probability of each voxel, the mean of three views: across each axis."""
        views = [np.moveaxis(self._across(np.moveaxis(batch, axis, 0)), 0, axis) for axis in range(3)]
        return np.asarray(np.mean(views, axis=0), np.float32)

    def _across(self, volume: Floats) -> Floats:
        """(slices, rows, columns) -> the same, slice by slice."""
        rows, columns = volume.shape[1:]
        wide = np.pad(volume, ((0, 0), (0, -rows % _MULTIPLE), (0, -columns % _MULTIPLE)), constant_values=-1)
        return probabilities(self.network(wide[places(len(wide))])[:, 0, :rows, :columns])

    def finish(self, output: Floats, image: Volume) -> Found:
        """Bring the probabilities to the source grid and cut them there."""
        oriented = image.oriented("SPL")
        joined = np.where(without_bridges(output >= _CUT), output, 0)
        size = list(oriented.array.shape)
        brain = largest(resized(joined, size) >= _CUT)
        found = self.tell(oriented.restore(brain.astype(np.uint8)), image)
        return with_removed(found, oriented.restore(resized(output, size) >= _CUT), image)


def even(image: Volume) -> Floats:
    """Return a volume in even voxels of PIXEL_MM, axes SPL, black -1 and white 1."""
    oriented = image.oriented("SPL")
    size = [max(1, round(n * mm / PIXEL_MM)) for n, mm in zip(oriented.array.shape, oriented.spacing_mm, strict=True)]
    blur = [max(0.0, 0.5 * (n / m - 1)) for n, m in zip(oriented.array.shape, size, strict=True)]
    values = resized(ndimage.gaussian_filter(oriented.array, blur), size)
    return scaled(values, float(np.percentile(values, _WHITE)))


def places(slices: int) -> NDArray[np.int64]:
    """Return for each slice those of its slab, (slices, SLABS); past the ends the last one stands in."""
    return np.asarray(np.clip(np.arange(slices)[:, None] + np.array(OFFSETS), 0, slices - 1), np.int64)


def scaled(values: Floats, white: float) -> Floats:
    """Bring 0 .. white to -1 .. 1; what is brighter stays a little brighter."""
    return np.asarray(np.clip(values / max(white, 1e-6), 0, 1.5) * 2 - 1, np.float32)


def resized(volume: Floats, size: list[int]) -> Floats:
    """Interpolate a volume to another size, the outer faces of the corner voxels aligned."""
    grid: Tensor = torch.from_numpy(np.ascontiguousarray(volume, np.float32))[None, None]
    return np.asarray(functional.interpolate(grid, size, mode="trilinear")[0, 0].numpy(), np.float32)


def without_bridges(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest part and what lies close to it, once bridges of less than 12 mm are cut: neck and orbits go."""
    core = largest(ndimage.binary_erosion(mask, iterations=_BRIDGE))
    return np.asarray(ndimage.binary_dilation(core, iterations=_BRIDGE + 1) & mask, np.bool_) if core.any() else mask


def largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest connected part and fill its holes: a brain is one piece."""
    parts, count = ndimage.label(mask)
    if count == 0:
        return mask
    best = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return np.asarray(ndimage.binary_fill_holes(parts == best), np.bool_)
