from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.config import Encoding, SegType
from dicom_node.findings import Code, Measurement, Segmentation
from dicom_node.results.encode import encode
from dicom_node.results.request import Request
from tests.results import builders

SHARE = Code("118522005", "SCT", "Ratio")
ONE = Code("1", "UCUM", "no units")


def film_request(folder: Path, seg_type: SegType = "BINARY") -> Request:
    """Ask for the results of frames 2, 4 and 6 of a film, of which the first shows nothing."""
    labels = np.repeat(builders.lungs().labels, 3, axis=0)
    labels[0] = 0
    measured = [Measurement(SHARE, value, ONE, "lungs", k) for k, value in ((1, 0.25), (2, 0.5))]
    found = Segmentation(labels, builders.lungs().segments)
    wanted = builders.request(
        builders.film(folder), found, *measured, outputs=("SEG", "PR", "KO", "SR"), encoding=Encoding(seg_type=seg_type)
    )
    return replace(wanted, findings=replace(wanted.findings, frames=(2, 4, 6)))


@pytest.mark.parametrize("seg_type", ["BINARY", "LABELMAP"])
def test_results_of_a_film_cite_the_frames_that_were_looked_at(seg_type: SegType, tmp_path: Path) -> None:
    files = encode(film_request(tmp_path, seg_type), tmp_path / "out")
    seg = dcmread(files[0].path)
    cited = [
        groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for groups in seg.PerFrameFunctionalGroupsSequence
    ]
    assert cited == [4, 6]
    assert "FrameOfReferenceUID" not in seg


def test_each_frames_numbers_stand_with_its_own_frame(tmp_path: Path) -> None:
    report = dcmread(encode(film_request(tmp_path), tmp_path / "out")[-1].path)
    told = {}
    for group in builders.measurement_groups(report):
        items = {item.ValueType: item for item in group.ContentSequence}
        image = items["SCOORD"].ContentSequence[0].ReferencedSOPSequence[0]
        if "NUM" in items:  # the largest part of two
            told[int(image.ReferencedFrameNumber)] = float(items["NUM"].MeasuredValueSequence[0].NumericValue)
    assert told == {4: 0.25, 6: 0.5}
