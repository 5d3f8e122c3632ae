"""Images without a DICOM header: NIfTI volumes and PNG or JPEG pictures, for use as a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import SimpleITK
from numpy.typing import NDArray

from dicom_node.errors import ObjectError
from dicom_node.images import FactValue, Image, Radiograph, Stack, Volume

_VOLUMES = (".nii", ".nii.gz", ".mha", ".nrrd")
_PICTURES = (".png", ".jpg", ".jpeg")


def is_plain(path: Path) -> bool:
    """Say whether a path is an image file of a kind that has no DICOM header."""
    return path.name.lower().endswith((*_VOLUMES, *_PICTURES))


def read_plain(path: Path, takes: type[Volume] | type[Radiograph]) -> Image:
    """Read a NIfTI file as a Volume in LPS, or a picture as a Radiograph.

    Raises:
        ObjectError: the file cannot be read, or is no image of the kind that is taken.
    """
    wanted = _VOLUMES if takes is Volume else _PICTURES
    if not path.name.lower().endswith(wanted):
        raise ObjectError(str(path), f"is not what this model takes: {' '.join(wanted)}")
    return _volume(path) if takes is Volume else _picture(path)


def _volume(path: Path) -> Volume:
    try:
        image = SimpleITK.ReadImage(str(path), SimpleITK.sitkFloat32)
    except RuntimeError as error:
        raise ObjectError(str(path), "cannot be read as a volume") from error
    if image.GetDimension() != 3:
        raise ObjectError(str(path), f"has {image.GetDimension()} axes, 3 are needed")
    axes = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())  # columns: x, y, z of the array
    affine = np.eye(4)
    affine[:3, :3] = axes[:, ::-1]  # ITK's array is (slice, row, column), its directions x, y, z
    affine[:3, 3] = image.GetOrigin()
    array = np.asarray(SimpleITK.GetArrayFromImage(image), np.float32)
    return Volume(array, affine, "", _stack(path, "volume", slices=len(array)))


def _picture(path: Path) -> Radiograph:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ObjectError(str(path), "cannot be read as a picture")
    grey = np.asarray(picture, np.uint8)
    rows, columns = grey.shape
    return Radiograph(grey, grey, None, _stack(path, "radiograph", Rows=rows, Columns=columns))


def _stack(path: Path, kind: str, **facts: FactValue) -> Stack:
    """Stand in for the header: what the pixels alone say."""
    return Stack("", str(path), (), {"kind": (kind,), **{name: (float(value),) for name, value in facts.items()}})


def write_labels(labels: NDArray[Any], volume: Volume, path: Path) -> None:
    """Write a label map (slices, rows, columns) on a volume's grid as NIfTI."""
    image = SimpleITK.GetImageFromArray(labels.astype(np.uint8))
    spacing = volume.spacing_mm[::-1]
    image.SetSpacing(spacing)
    image.SetDirection((volume.affine[:3, 2::-1] / np.array(spacing)).ravel().tolist())
    image.SetOrigin(volume.affine[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(path))
