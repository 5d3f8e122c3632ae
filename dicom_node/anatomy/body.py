"""The patient's outline in a volume on an even grid."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.anatomy.organ import Tissue

_AIR_HU: Final = -400.0  # between lung or air and fat
_WHITE: Final = 99.0  # percentile of an MR volume
_DARK: Final = 0.1  # of that percentile: below is air, cortical bone or noise
_SPECK: Final = 0.005  # of all that is above air
_CLOSED: Final = 5  # voxels: bone and air passages narrower than twice this are closed


def outline(values: NDArray[np.float32], tissue: Tissue) -> NDArray[np.bool_]:
    """Return the patient: all that is above air, specks left out, closed over bone and filled slice by slice."""
    level = _AIR_HU if tissue == "hounsfield" else _DARK * float(np.percentile(values, _WHITE))
    padded = np.pad(without_specks(values > level), _CLOSED)
    closed = largest(ndimage.binary_closing(padded, iterations=_CLOSED)[(slice(_CLOSED, -_CLOSED),) * 3])
    for axis in range(3):
        filled = np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(closed, axis, 0)])
        closed = np.moveaxis(filled, 0, axis)
    return np.asarray(closed, np.bool_)


def without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask without parts of less than a two-hundredth of the whole: noise, a table's edge."""
    parts, _ = ndimage.label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= _SPECK * sizes.sum())[parts] & mask, np.bool_)


def largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part; an empty mask stays empty."""
    parts, count = ndimage.label(mask)
    return np.asarray(parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])), np.bool_) if count else mask
