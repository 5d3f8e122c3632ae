"""Parts that a pipeline took out of a mask because the organ has no further part."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.findings import Code, Finding, Removed, Segmentation
from dicom_node.images import Image, Radiograph, Volume

MILLILITRE: Final = Code("mL", "UCUM", "milliliter")
SQUARE_MILLIMETRE: Final = Code("mm2", "UCUM", "square millimeter")
PIXELS: Final = Code("{pixels}", "UCUM", "pixels")


def with_removed(found: tuple[Finding, ...], before: NDArray[np.bool_], image: Image) -> tuple[Finding, ...]:
    """Append what of the mask `before` (slices, rows, columns) is in no segment of the findings' label map."""
    segmentation = next((one for one in found if isinstance(one, Segmentation)), None)
    if segmentation is None:
        return found
    left_out = before & (segmentation.labels == 0)
    count = int(ndimage.label(left_out)[1]) if left_out.any() else 0
    if count == 0:
        return found
    names = " or ".join(segment.name for segment in segmentation.segments)
    value, unit = _size(int(left_out.sum()), image)
    return (*found, Removed(names, count, value, unit))


def _size(voxels: int, image: Image) -> tuple[float, Code]:
    """Return millilitres of a volume, square millimetres of a radiograph with a spacing, else pixels."""
    if isinstance(image, Volume) and not image.stack.text("windowed"):
        return voxels * abs(float(np.linalg.det(image.affine[:3, :3]))) / 1000, MILLILITRE
    if isinstance(image, Radiograph) and image.spacing_mm is not None:
        return voxels * image.spacing_mm[0] * image.spacing_mm[1], SQUARE_MILLIMETRE
    return float(voxels), PIXELS
