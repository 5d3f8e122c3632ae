"""How the kidney cascade cuts, resamples and mirrors: voxel indices only, whatever the spacing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import SimpleITK as sitk  # noqa: N813  # its usual name
from numpy.typing import NDArray
from scipy import ndimage

AIR_HU = -1024
Corner: TypeAlias = tuple[int, int, int]
_ALL_NEIGHBOURS = np.ones((3, 3, 3), bool)  # 26-connected


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A box of voxels, which may reach beyond the volume."""

    low: Corner
    high: Corner  # exclusive

    @property
    def size(self) -> Corner:
        """Voxels along each axis."""
        a, b, c = (high - low for low, high in zip(self.low, self.high, strict=True))
        return a, b, c

    def inside(self, shape: Sequence[int]) -> tuple[slice, slice, slice]:
        """Return the part of the box that lies in a volume, as slices of the volume."""
        a, b, c = (slice(max(low, 0), min(high, n)) for low, high, n in zip(self.low, self.high, shape, strict=True))
        return a, b, c

    def cut(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Cut the box out; each side's overhang gets the minimum of the line that it continues."""
        inside = self.inside(volume.shape)
        overhang = [
            (part.start - low, high - part.stop) for part, low, high in zip(inside, self.low, self.high, strict=True)
        ]
        return np.pad(volume[inside], overhang, mode="minimum")

    def trimmed(self, values: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
        """Undo `cut`: drop from the box's values what lies beyond the volume."""
        inside = self.inside(shape)
        return values[tuple(slice(p.start - low, p.stop - low) for p, low in zip(inside, self.low, strict=True))]


def bounds(mask: NDArray[np.bool_]) -> tuple[Corner, Corner] | None:
    """Return the first and last index of a mask along each axis; None where it is empty."""
    ends = []
    for axis in range(3):
        held = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not held.size:
            return None
        ends.append((int(held[0]), int(held[-1])))
    (a, i), (b, j), (c, k) = ends
    return (a, b, c), (i, j, k)


def resampled(array: NDArray[Any], size: Sequence[int], *, nearest: bool = False) -> NDArray[Any]:
    """Bring an array to `size`: output index o reads input index o * n / m, the first voxels aligned.

    Linear in float32 with air outside for images; nearest with 0 outside for labels.
    """
    library: Any = sitk  # ships no types
    image = library.GetImageFromArray(np.ascontiguousarray(array, None if nearest else np.float32))
    resampler = library.ResampleImageFilter()
    resampler.SetSize([int(m) for m in reversed(size)])
    resampler.SetOutputSpacing([n / m for n, m in zip(reversed(array.shape), reversed(list(size)), strict=True)])
    resampler.SetInterpolator(library.sitkNearestNeighbor if nearest else library.sitkLinear)
    resampler.SetDefaultPixelValue(0 if nearest else AIR_HU)
    return np.asarray(library.GetArrayFromImage(resampler.Execute(image)))


def components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Return the 26-connected parts numbered from 1, and their numbers from the largest down."""
    parts, _ = ndimage.label(mask, _ALL_NEIGHBOURS)
    sizes = np.bincount(parts.ravel())[1:]
    return parts, 1 + np.argsort(-sizes, kind="stable")
