from pathlib import Path

import cv2
import numpy as np
import pytest
import SimpleITK

from dicom_node.errors import ObjectError
from dicom_node.images import Radiograph, Volume
from dicom_node.imaging import read_plain, write_labels

OBLIQUE = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    image = SimpleITK.GetImageFromArray(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    image.SetSpacing((0.5, 0.75, 4.0))
    image.SetOrigin((-10.0, 20.0, 30.0))
    image.SetDirection(OBLIQUE)
    path = tmp_path / "volume.nii.gz"
    SimpleITK.WriteImage(image, str(path))
    return path


def test_each_voxel_of_a_nifti_volume_lies_where_its_header_says(nifti: Path) -> None:
    volume = read_plain(nifti, Volume)
    assert isinstance(volume, Volume)
    reference = SimpleITK.ReadImage(str(nifti))
    for index in [(0, 0, 0), (1, 2, 3), (0, 2, 1)]:
        point = reference.TransformIndexToPhysicalPoint(tuple(reversed(index)))
        assert np.allclose(volume.affine @ [*index, 1], [*point, 1], atol=1e-4)
        assert volume.array[index] == reference[tuple(reversed(index))]


def test_labels_are_written_on_the_volumes_own_grid(nifti: Path, tmp_path: Path) -> None:
    volume = read_plain(nifti, Volume)
    assert isinstance(volume, Volume)
    labels = (volume.array > 11).astype(np.uint8)
    write_labels(labels, volume, tmp_path / "labels.nii.gz")
    back = read_plain(tmp_path / "labels.nii.gz", Volume)
    assert isinstance(back, Volume)
    assert np.allclose(back.affine, volume.affine, atol=1e-4)
    assert np.array_equal(back.array, labels)


def test_a_picture_is_read_as_it_is(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    cv2.imwrite(str(tmp_path / "picture.png"), pixels)
    image = read_plain(tmp_path / "picture.png", Radiograph)
    assert isinstance(image, Radiograph)
    assert np.array_equal(image.picture, pixels)


@pytest.mark.parametrize(("name", "takes"), [("x.png", Volume), ("x.nii.gz", Radiograph), ("x.nii", Volume)])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, takes: type[Volume] | type[Radiograph]) -> None:
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(ObjectError, match=name):
        read_plain(tmp_path / name, takes)
