"""A remark on a run's source stands in its objects, in its record, and in `explain`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import dcmread

from dicom_node.catalog import Result, Run
from dicom_node.findings import Finding, Remark, Segment, Segmentation
from dicom_node.status import run_records, say_record
from tests.support.dicom import radiograph
from tests.work.house import CODE, ORGAN, House
from tests.work.test_faults import CONFIG

LOSSY = "the source is compressed with loss: its LossyImageCompression is 01"


def lungs_on(image: object, *remarks: Finding) -> tuple[Finding, ...]:
    labels = np.ones((1, image.Rows, image.Columns), np.uint8)  # type: ignore[attr-defined]
    return (Segmentation(labels, (Segment(1, "lung", ORGAN, CODE, (80, 160, 240)),)), *remarks)


def test_a_remark_on_the_source_reaches_report_segmentation_record_and_explain(tmp_path: Path) -> None:
    house, image = House(tmp_path, CONFIG), radiograph("1.2.1", "1.2.1.1")
    house.models.found = {"lung": lungs_on(image, Remark(LOSSY, of_source=True))}
    house.put(image)
    (stack,) = house.settle()
    (run,) = (run for run in house.rows(Run) if run.pipeline == "lung")
    made = {
        result.kind: dcmread(house.config.storage_folder / result.path)
        for result in house.rows(Result)
        if result.run_id == run.id
    }
    assert made["SEG"].SegmentSequence[0].SegmentDescription == LOSSY
    assert made["SEG"].ContentDescription.endswith("; see remarks on the source")
    assert LOSSY in made["SR"].to_json()
    assert run.record["remarks"] == [LOSSY]
    lines = [line for record in run_records(house.catalog, stack.id) for line in say_record(record)]
    assert f"lung: remark: {LOSSY}" in lines
