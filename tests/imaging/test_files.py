from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.errors import ObjectError
from dicom_node.imaging import dicom_files
from tests.imaging.objects import ct


def test_dicom_files_are_found_below_a_folder_and_others_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("deep/b", "a.dcm"):
        ct().save_as(tmp_path / name, enforce_file_format=True)
    (tmp_path / "index.csv").write_text("a,b")
    assert list(dicom_files(tmp_path)) == [tmp_path / "a.dcm", tmp_path / "deep/b"]


def test_one_file_is_itself(tmp_path: Path) -> None:
    ct().save_as(tmp_path / "a", enforce_file_format=True)
    assert list(dicom_files(tmp_path / "a")) == [tmp_path / "a"]


@pytest.mark.parametrize("name", ["", "gone", "note.txt"])
def test_a_place_without_dicom_is_said_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "note.txt").write_text("short")
    with pytest.raises(ObjectError, match=f"{tmp_path / name}: no DICOM file here"):
        list(dicom_files(tmp_path / name))
