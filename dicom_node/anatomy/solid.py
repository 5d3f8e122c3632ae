"""Measures of one organ's mask in a volume; None where a measure cannot be taken."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from dicom_node.anatomy.body import outline
from dicom_node.anatomy.organ import Tissue
from dicom_node.images import Oriented, Volume

GRID_MM: Final = 3.0
BRIDGE_MM: Final = 12.0  # half the width below which a mask's limb is no part of its bulk: cord, vessels, bridges
_STEP: Final = 2  # voxels: to the neighbours that a value is compared with
_RIM: Final = 2  # voxels: at the mask's surface, where the values are mixed with those outside
_LEAST_SAMPLES: Final = 30
_RIND_MM: Final = 15.0  # under the surface, where a phantom's wall varies too
_SKIN_MM: Final = 6.0  # under the surface, where air and body are mixed
_FAT_HU: Final = (-150.0, -30.0)
_BONE_HU: Final = 150.0
Mask = NDArray[np.bool_]


class Solid:
    """One organ's mask (slices, rows, columns) in a volume; each property is a measure of `organ.Measure`."""

    def __init__(self, mask: Mask, image: Volume, tissue: Tissue) -> None:
        """Bring image and mask to an even grid of GRID_MM, axes SPL; a volume has at least two slices."""
        self._tissue = tissue
        self._oriented = image.oriented("SPL")
        self.volume_ml = int(mask.sum()) * abs(float(np.linalg.det(image.affine[:3, :3]))) / 1000
        self._turned = _turn(mask, self._oriented)
        spacing_mm = self._oriented.spacing_mm
        self._mask = _even(self._turned, spacing_mm) >= 0.5
        self._values = _even(self._oriented.array, spacing_mm)

    @property
    def is_measurable(self) -> bool:
        """Say whether any of the mask is left on the even grid."""
        return bool(self._mask.any())

    @cached_property
    def is_cut(self) -> bool:
        """Say whether the organ reaches a face of the volume, so that only a part of the organ may be here."""
        faces = (self._turned.take(end, axis) for axis in range(3) for end in (0, -1))
        return any(bool(face.any()) for face in faces)

    @cached_property
    def _is_cut_above(self) -> bool:
        faces = [self._turned[-1], *(self._turned.take(end, axis) for axis in (1, 2) for end in (0, -1))]
        return any(bool(face.any()) for face in faces)

    @cached_property
    def _bulk(self) -> Mask:
        """The mask without limbs thinner than twice BRIDGE_MM; the whole mask where nothing else is left."""
        padded = np.pad(self._mask, 1)
        core = ndimage.distance_transform_edt(padded)[1:-1, 1:-1, 1:-1] > BRIDGE_MM / GRID_MM
        if not core.any():
            return self._mask
        near = ndimage.distance_transform_edt(~core) <= BRIDGE_MM / GRID_MM
        return np.asarray(near & self._mask, np.bool_)

    def _extent(self, axis: int) -> float:
        along = np.flatnonzero(self._bulk.any(axis=tuple({0, 1, 2} - {axis})))
        return float(along[-1] - along[0] + 1) * GRID_MM

    @property
    def height_mm(self) -> float:
        """Extent of the bulk from foot to head."""
        return self._extent(0)

    @property
    def depth_mm(self) -> float:
        """Extent of the bulk from front to back."""
        return self._extent(1)

    @property
    def breadth_mm(self) -> float:
        """Extent of the bulk from side to side."""
        return self._extent(2)

    @cached_property
    def length_mm(self) -> float:
        """Extent of the whole mask along its own longest axis."""
        places = np.argwhere(self._mask) * GRID_MM
        centred = places - places.mean(axis=0)
        along = centred @ np.linalg.eigh(np.cov(centred.T))[1][:, -1] if len(places) > 3 else centred[:, 0]
        return float(along.max() - along.min()) + GRID_MM

    @cached_property
    def convexity(self) -> float | None:
        """Volume of the bulk as a share of its convex hull's."""
        surface = np.argwhere(self._bulk & ~ndimage.binary_erosion(self._bulk))
        corners = np.concatenate([surface - 0.5, surface + 0.5])
        try:
            return float(self._bulk.sum() / ConvexHull(corners).volume)
        except QhullError:
            return None

    @cached_property
    def face_share(self) -> float:
        """Share of the bulk that a narrow bridge joins to its largest part, below and in front of that part's centre.

        Of a brain such a lobe is tongue or floor of the mouth; the cerebellum lies behind.
        """
        parts, count = ndimage.label(self._bulk)
        centres = np.array(ndimage.center_of_mass(self._bulk, parts, range(1, count + 1))).reshape(-1, 3)
        sizes = np.bincount(parts.ravel(), minlength=2)[1:]
        below_in_front = (centres[:, :2] < centres[int(sizes.argmax()), :2]).all(axis=1)
        return float(sizes[below_in_front].sum() / sizes.sum())

    @cached_property
    def holes_share(self) -> float:
        """Share of the filled mask that is enclosed, unmarked space."""
        filled = ndimage.binary_fill_holes(self._mask)
        return float(1 - self._mask.sum() / filled.sum())

    @cached_property
    def _body(self) -> Mask:
        return outline(self._values, self._tissue)

    @cached_property
    def _under(self) -> NDArray[np.float64]:
        """Distance of every voxel from the body's surface, mm; the field's edge is no surface."""
        return np.asarray(ndimage.distance_transform_edt(self._body) * GRID_MM)

    @cached_property
    def body_share(self) -> float:
        """Share of the mask inside the patient's outline."""
        return float((self._mask & self._body).sum() / self._mask.sum())

    @cached_property
    def cover_mm(self) -> float | None:
        """Median thickness of what covers the upper half of the organ's surface; None where that half is cut."""
        if self._is_cut_above or self._body.all():
            return None
        surface = np.argwhere(self._mask & ~ndimage.binary_erosion(self._mask))
        upper = surface[surface[:, 0] >= np.median(np.argwhere(self._mask)[:, 0])]
        return float(np.median(self._under[tuple(upper.T)])) if len(upper) else None

    @cached_property
    def below_top_mm(self) -> float | None:
        """Distance from the top of the body to the top of the organ; None where the field cuts either of them."""
        levels = np.flatnonzero(self._body.any(axis=(1, 2)))
        if self._is_cut_above or not len(levels) or levels[-1] == len(self._body) - 1:
            return None
        return float(levels[-1] - np.flatnonzero(self._mask.any(axis=(1, 2)))[-1]) * GRID_MM

    @cached_property
    def to_left(self) -> float | None:
        """Where the organ's centre lies, -1 the right flank to 1 the left flank, in the slices that show the organ."""
        levels = self._mask.any(axis=(1, 2))
        columns = np.flatnonzero(self._body[levels].any(axis=(0, 1)))
        if len(columns) < 2:
            return None
        middle, half = (columns[0] + columns[-1]) / 2, (columns[-1] - columns[0]) / 2
        return float((np.argwhere(self._mask)[:, 2].mean() - middle) / half)

    @cached_property
    def edge_share(self) -> float:
        """Share of the mask in the outermost rows and columns of the field."""
        inner = self._turned[:, 1:-1, 1:-1].sum()
        return float(1 - inner / self._turned.sum())

    @property
    def texture(self) -> float | None:
        """Spread of the organ's values: see `_spread`."""
        return self._spread(self._mask)

    @property
    def body_texture(self) -> float | None:
        """Spread of the body's values under its surface: see `_spread`."""
        return self._spread(self._under > _RIND_MM)

    def _spread(self, mask: Mask) -> float | None:
        """Return by how much values differ from the mean of those 6 mm to either side, as a share of that mean.

        Tissues of one organ differ so; a phantom's liquid does not, however steadily a coil brightens it to one side.
        """
        core = ndimage.binary_erosion(mask, iterations=_RIM)
        differences = [_beside(self._smooth, core, axis) for axis in range(3)]
        joined = np.concatenate(differences)
        return float(np.sqrt((joined**2).mean() * 2 / 3)) if joined.size >= _LEAST_SAMPLES else None

    @cached_property
    def _smooth(self) -> NDArray[np.float32]:
        return np.asarray(ndimage.gaussian_filter(self._values, 1.0), np.float32)

    @cached_property
    def mean_hu(self) -> float:
        """Mean of the marked voxels, HU."""
        return float(self._oriented.array[self._turned].mean(dtype=np.float64))

    @cached_property
    def fat_share(self) -> float:
        """Share of the body that has the Hounsfield units of fat."""
        inside = self._values[self._under > _SKIN_MM]
        return float(((inside > _FAT_HU[0]) & (inside < _FAT_HU[1])).mean()) if inside.size else 0.0

    @cached_property
    def bone_share(self) -> float:
        """Share of the body that is as dense as bone."""
        inside = self._values[self._under > _SKIN_MM]
        return float((inside > _BONE_HU).mean()) if inside.size else 0.0


def _beside(values: NDArray[np.float32], inside: Mask, axis: int) -> NDArray[np.float64]:
    """Return (value - mean of its neighbours at _STEP) / that mean, where all three lie inside."""
    turned, within = np.moveaxis(values, axis, 0), np.moveaxis(inside, axis, 0)
    before, here, after = slice(None, -2 * _STEP), slice(_STEP, -_STEP), slice(2 * _STEP, None)
    mean = (turned[before] + turned[after]) / 2
    usable = within[before] & within[here] & within[after] & (mean > 0)
    return np.asarray(turned[here][usable] / mean[usable] - 1, np.float64)


def _turn(mask: Mask, oriented: Oriented) -> Mask:
    turned = mask.transpose(oriented.permutation)
    return np.ascontiguousarray(turned[tuple(slice(None, None, -1 if flip else 1) for flip in oriented.flips)])


def _even(array: NDArray[np.float32] | Mask, spacing_mm: tuple[float, float, float]) -> NDArray[np.float32]:
    """Resample to GRID_MM: means of blocks first, since a whole CT would take seconds to blur."""
    factors = [max(1, min(int(GRID_MM // mm), n)) for mm, n in zip(spacing_mm, array.shape, strict=True)]
    kept = [n - n % factor for n, factor in zip(array.shape, factors, strict=True)]
    blocks = array[tuple(slice(n) for n in kept)].reshape(
        [size for n, factor in zip(kept, factors, strict=True) for size in (n // factor, factor)]
    )
    means = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    zoom = [mm * factor / GRID_MM for mm, factor in zip(spacing_mm, factors, strict=True)]
    return np.asarray(ndimage.zoom(means, zoom, order=1, mode="nearest", grid_mode=True), np.float32)
