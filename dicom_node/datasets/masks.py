"""Masks in files beside the images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.datasets.cases import grid_of
from dicom_node.errors import ObjectError
from dicom_node.images import Image, Volume
from dicom_node.imaging import read_labels


def stem_of(path: Path) -> str:
    """Return a file's name without its ending, `.nii.gz` being one; a folder's name as it is."""
    if path.is_dir():
        return path.name
    return path.name[: -len(".nii.gz")] if path.name.lower().endswith(".nii.gz") else path.stem


@dataclasses.dataclass(frozen=True, slots=True)
class MaskFile:
    """A picture of one slice, or a label volume, on the image's grid."""

    path: Path

    def read(self, image: Image, classes: Sequence[str]) -> NDArray[np.uint8]:  # noqa: ARG002  # it holds numbers
        """Return the values (slices, rows, columns); a volume's file is brought to the image's grid in space."""
        if self.path.suffix != ".png":
            if not isinstance(image, Volume):
                raise ObjectError(str(self.path), "is a volume, its image is a picture")
            return read_labels(self.path, image)
        values = cv2.imread(str(self.path), cv2.IMREAD_UNCHANGED)
        if values is None:
            raise ObjectError(str(self.path), "cannot be read as a picture")
        plane = np.asarray(values if values.ndim == 2 else values[..., 0])
        if plane.max(initial=0) > 255:
            raise ObjectError(str(self.path), "holds values above 255")
        if (1, *plane.shape) != grid_of(image):
            raise ObjectError(str(self.path), f"is {(1, *plane.shape)} in size, its image {grid_of(image)}")
        return plane.astype(np.uint8)[None]
