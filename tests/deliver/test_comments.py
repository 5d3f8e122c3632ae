"""What is done with the words that a peer writes beside its status."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset

from dicom_node.deliver import mask_patient
from dicom_node.deliver.comments import read_comment
from tests.support.dicom import ct_slice, encoded

COMMENTS = {
    "SYNTHETICUS^PATIENS has no order": "*** has no order",
    "no order for Patiens Syntheticus": "no order for *** ***",
    "SYN-4711 born 19700131 is locked": "*** born *** is locked",
    "born 1970-01-31, 31.01.1970 or 1/31/1970": "born ***, *** or ***",
    "accession AB12 is closed; Li is on leave": "accession *** is closed; *** is on leave",
    "the line is live, limit reached": "the line is live, limit reached",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    image = ct_slice("1.2.3", "1.2.4")
    image.PatientBirthDate, image.AccessionNumber, image.ReferringPhysicianName = "19700131", "AB12", "Li^O"
    path = tmp_path / "one.dcm"
    path.write_bytes(encoded(image))
    return path


@pytest.mark.parametrize(("comment", "masked"), COMMENTS.items())
def test_the_values_of_the_object_s_patient_are_masked(path: Path, comment: str, masked: str) -> None:
    assert mask_patient(comment, path) == masked


def test_all_is_masked_where_the_object_cannot_be_read(tmp_path: Path) -> None:
    assert mask_patient("Syntheticus^Patiens", tmp_path / "absent.dcm") == "***"


def test_a_comment_holds_nothing_that_a_terminal_acts_upon() -> None:
    response = Dataset()
    response.ErrorComment = "no \x1b[31mroom"
    assert read_comment(response) == "no \\x1b[31mroom"
