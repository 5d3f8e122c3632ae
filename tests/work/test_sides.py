"""What one pipeline finds of left and right holds for what the others send of the same stack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom_node.catalog import Result, Run, RunState
from dicom_node.findings import Code, Remark, Segment, Segmentation
from tests.support.dicom import radiograph
from tests.work.house import CODE, ORGAN, House

DOUBT = Remark("mark and header disagree: the mark is L", doubts_sides=True)
CONFIG = """
[storage]
max_study_age_days = 100000
[pipelines.lung]
outputs = ["SEG", "SR"]
[pipelines.marks]
outputs = ["SR"]
[[routes]]
name = "all"
run = [{run}]
when = {{ Modality = "CR" }}
"""


@pytest.mark.parametrize("run", ['"lung", "marks"', '"marks", "lung"'])
@pytest.mark.parametrize("sided", [True, False])
def test_a_mark_that_contradicts_the_header_blocks_sides_whichever_runs_first(
    run: str, sided: bool, tmp_path: Path
) -> None:
    house = House(tmp_path, CONFIG.format(run=run))
    house.models.found = {"lung": (_left_lung(sided=sided),), "marks": (DOUBT,)}
    image = radiograph("1.2.1", "1.2.1.1")
    image.PatientOrientation = ["L", "F"]
    house.put(image)
    house.settle()
    runs = {one.pipeline: one for one in house.rows(Run)}
    assert runs["marks"].state == RunState.DONE
    assert runs["lung"].state == (RunState.FAILED if sided else RunState.DONE)
    assert sorted(one.kind for one in house.rows(Result)) == (["SR"] if sided else ["SEG", "SR", "SR"])
    if sided:
        assert runs["lung"].reason == f"names left and right, but {DOUBT.text}"


def _left_lung(*, sided: bool) -> Segmentation:
    labels = np.zeros((1, 32, 32), np.uint8)
    labels[0, 4:20, 20:30] = 1
    side = Code("7771000", "SCT", "Left") if sided else None
    return Segmentation(labels, (Segment(1, "lung", ORGAN, CODE, (80, 160, 240), side),))
