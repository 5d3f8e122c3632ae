from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dicom_node.datasets import TrueBox, read_dataset
from dicom_node.errors import ObjectError


def pictures(folder: Path, *names: str) -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / "images" / name), np.zeros((4, 6), np.uint8))
    return folder


def test_without_a_patient_column_each_picture_is_a_patient_and_that_is_known(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    (tmp_path / "boxes.csv").write_text("file,label,x1,y1,x2,y2\na.png,L,0,1,2,3\n")
    dataset = read_dataset(tmp_path)
    assert not dataset.patients_known
    assert dataset.patients == ["a.png", "b.png"]
    assert [case.truth for case in dataset.cases] == [(TrueBox("L", 0, 1, 2, 3),), ()]


def test_patient_and_part_come_from_the_index(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    (tmp_path / "boxes.csv").write_text("file,label,x1,y1,x2,y2\n")
    (tmp_path / "index.csv").write_text("file,patient,part\na.png,p,train\nb.png,p,test\n")
    dataset = read_dataset(tmp_path)
    assert dataset.patients_known
    assert [case.name for case in dataset.only("test").cases] == ["b.png"]
    with pytest.raises(ObjectError, match="no image the part 'validation'"):
        dataset.only("validation")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("boxes.csv", "file,label,x1,y1\n", "lacks the column 'x2'"),
        ("boxes.csv", "file,label,x1,y1,x2,y2\na.png,L,5,1,2,3\n", "line 2: x1 must be below x2"),
        ("boxes.csv", "file,label,x1,y1,x2,y2\na.png,L,five,1,2,3\n", "line 2: could not convert"),
        ("index.csv", "file,label\nz.png,x\n", "'z.png' is neither in images/ nor"),
        ("index.csv", "file,label\na.png,x\na.png,y\n", "has 'a.png' twice"),
        ("index.csv", "file,label,part\na.png,x,half\n", "part 'half' is none of"),
        ("index.csv", "file\na.png\n", "has neither masks/ nor boxes.csv nor"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    pictures(tmp_path, "a.png")
    (tmp_path / name).write_text(text)
    with pytest.raises(ObjectError, match=said):
        read_dataset(tmp_path)


def test_an_image_without_a_mask_and_a_mask_of_another_size_are_named(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    (tmp_path / "masks").mkdir()
    with pytest.raises(ObjectError, match=r"a\.png: has no mask"):
        read_dataset(tmp_path)
