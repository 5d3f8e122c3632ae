"""The objects of each pipeline, in every kind: valid (conftest.py sees to it), proved, and saying what was found."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.results.encode import encode
from tests.results import builders
from tests.results.nine import EVERY_KIND, PIPELINES


@pytest.mark.parametrize("name", PIPELINES)
def test_the_objects_of_every_pipeline_are_valid_and_proved(name: str, tmp_path: Path) -> None:
    case, kinds = PIPELINES[name]
    stack, found = case(tmp_path)
    files = encode(builders.request(stack, *found, outputs=EVERY_KIND), tmp_path / "out")
    assert {file.kind for file in files} == kinds
    assert all(dcmread(file.path, stop_before_pixels=True).ContentQualification == "RESEARCH" for file in files)
