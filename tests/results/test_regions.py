"""A report whose outlines were spoilt does not pass the proof."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset

from dicom_node.errors import ProofError
from dicom_node.results.encode import encode
from dicom_node.results.prove_regions import prove_regions
from dicom_node.results.sources import read_sources
from tests.results import builders


def _move(region: Dataset) -> None:
    region.GraphicData = [float(value) + 2 for value in region.GraphicData]


def _cite_another(region: Dataset) -> None:
    region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3"


def _drop(region: Dataset) -> None:
    region.ValueType = "TEXT"


@pytest.mark.alters
@pytest.mark.parametrize(
    ("spoil", "said"),
    [(_move, "has Dice 0.8"), (_cite_another, "cites another image"), (_drop, "is missing")],
)
def test_an_outline_of_something_else_is_not_delivered(spoil: object, said: str, tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    request = builders.request(stack, builders.lungs())
    report = builders.only(encode(request, tmp_path / "out"), "SR")
    prove_regions(report, request, read_sources(stack))
    group = builders.measurement_groups(report)[0]
    assert callable(spoil)
    spoil(next(item for item in group.ContentSequence if item.ValueType == "SCOORD"))
    with pytest.raises(ProofError, match=said):
        prove_regions(report, request, read_sources(stack))
