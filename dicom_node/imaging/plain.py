"""Images without a DICOM header: NIfTI volumes and PNG or JPEG pictures, for use as a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import SimpleITK
from numpy.typing import NDArray

from dicom_node.errors import ObjectError
from dicom_node.images import FactValue, Image, Photograph, Radiograph, Stack, Takes, Volume

_VOLUMES = (".nii", ".nii.gz", ".mha", ".nrrd")
_PICTURES = (".png", ".jpg", ".jpeg")


def is_plain(path: Path) -> bool:
    """Say whether a path is an image file of a kind that has no DICOM header."""
    return path.name.lower().endswith((*_VOLUMES, *_PICTURES))


def read_plain(path: Path, takes: Takes, *, stored_axes: bool = False) -> Image:
    """Read a NIfTI file as a Volume, in LPS or its stored axes, or a picture as what is taken.

    A picture given to a model of volumes is one slice, its window already applied: 0 to 255, not Hounsfield units; its
    stack's fact `windowed` is "8 bit".

    Raises:
        ObjectError: the file cannot be read, or is no image of the kind that is taken.
    """
    wanted = (*_VOLUMES, *_PICTURES) if takes is Volume else _PICTURES
    if not path.name.lower().endswith(wanted):
        raise ObjectError(str(path), f"is not what this model takes: {' '.join(wanted)}")
    if path.name.lower().endswith(_VOLUMES):
        return _volume(path, stored_axes=stored_axes)
    if takes is Volume:
        return _slice(path)
    return _photograph(path) if takes is Photograph else _radiograph(path)


def _volume(path: Path, *, stored_axes: bool) -> Volume:
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
    return Volume(array, affine, "", _stack(path, "volume", slices=len(array)), stored_axes)


def _slice(path: Path) -> Volume:
    """Return one axial slice of unknown size, as a CT viewer shows it: 1 mm, patient's left at the right."""
    affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
    stack = _stack(path, "volume", slices=1).with_facts(windowed="8 bit")
    return Volume(_picture(path, cv2.IMREAD_GRAYSCALE)[None].astype(np.float32), affine, "", stack)


def _radiograph(path: Path) -> Radiograph:
    grey = _picture(path, cv2.IMREAD_GRAYSCALE)
    rows, columns = grey.shape
    colours = None if _is_grey(path) else _picture(path, cv2.IMREAD_COLOR_RGB)
    return Radiograph(grey, grey, None, _stack(path, "radiograph", Rows=rows, Columns=columns), colours)


def _photograph(path: Path) -> Photograph:
    if _is_grey(path):
        raise ObjectError(str(path), "is grey; a photograph is in colour")
    picture = _picture(path, cv2.IMREAD_COLOR_RGB)
    rows, columns = picture.shape[:2]
    return Photograph(picture[None], _stack(path, "photo", Rows=rows, Columns=columns))


def _is_grey(path: Path) -> bool:
    return _picture(path, cv2.IMREAD_UNCHANGED).ndim == 2


def _picture(path: Path, how: int) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), how)
    if picture is None:
        raise ObjectError(str(path), "cannot be read as a picture")
    return np.asarray(picture, np.uint8)


def _stack(path: Path, kind: str, **facts: FactValue) -> Stack:
    """Stand in for the header: what the pixels alone say."""
    return Stack("", str(path), (), {"kind": (kind,), **{name: (float(value),) for name, value in facts.items()}})


def write_labels(labels: NDArray[Any], volume: Volume, path: Path) -> None:
    """Write a label map (slices, rows, columns) on a volume's grid as NIfTI."""
    SimpleITK.WriteImage(_on_grid(labels.astype(np.uint8), volume), str(path))


def read_labels(path: Path, volume: Volume) -> NDArray[np.uint8]:
    """Read a label map in the space of a volume, nearest neighbour: (slices, rows, columns) on the volume's grid."""
    try:
        image = SimpleITK.ReadImage(str(path), SimpleITK.sitkUInt8)
    except RuntimeError as error:
        raise ObjectError(str(path), "cannot be read as a label volume") from error
    if image.GetDimension() != 3:
        raise ObjectError(str(path), f"has {image.GetDimension()} axes, 3 are needed")
    grid = _on_grid(np.zeros(volume.array.shape, np.uint8), volume)
    placed = SimpleITK.Resample(image, grid, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor, 0)
    return np.asarray(SimpleITK.GetArrayFromImage(placed), np.uint8)


def _on_grid(array: NDArray[np.uint8], volume: Volume) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(array)
    spacing = volume.spacing_mm[::-1]
    image.SetSpacing(spacing)
    image.SetDirection((volume.affine[:3, 2::-1] / np.array(spacing)).ravel().tolist())
    image.SetOrigin(volume.affine[:3, 3].tolist())
    return image
