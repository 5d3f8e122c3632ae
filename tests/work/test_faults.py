"""Whatever goes wrong within a job ends what the job was for, by name, and the queue goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom_node.catalog import Event, Result, Run, RunState, StackState
from dicom_node.findings import Segment, Segmentation
from tests.support.dicom import encoded, radiograph
from tests.work.house import CODE, ORGAN, House

CONFIG = """
[storage]
max_study_age_days = 100000
[pipelines.bones]
[pipelines.lung]
[[routes]]
name = "all"
run = ["bones", "lung"]
when = { Modality = "CR" }
"""
_SPOILT = b"\x18\x00\x01\xa0SQ\x00\x00\x02\x00\x00\x00\xfe\xff"  # Contributing Equipment of half a tag


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, CONFIG)


def impossible_colour() -> Segmentation:
    """Return findings that no encoder of ours expects."""
    labels = np.ones((1, 64, 64), np.uint8)
    return Segmentation(labels, (Segment(1, "bone", ORGAN, CODE, (1000, 0, 0)),))


def test_an_encoder_that_raises_fails_its_run_with_file_and_line_and_the_next_run_goes_on(house: House) -> None:
    image = radiograph("1.2.1", "1.2.1.1")
    house.models.found = {"bones": (_on(image, impossible_colour()),)}
    house.put(image, radiograph("1.2.2", "1.2.2.1"))
    first, second = house.settle()
    runs = {run.pipeline: run for run in house.rows(Run) if run.stack_id == first.id}
    assert (runs["bones"].state, runs["lung"].state) == (RunState.FAILED, RunState.DONE)
    assert "ValueError: " in runs["bones"].reason
    assert "(results/seg.py:" in runs["bones"].reason
    assert first.state == StackState.FAILED
    assert "bones: ValueError" in first.reason
    assert second.state == StackState.FAILED  # of the same findings; its lungs were run too
    assert len([result for result in house.rows(Result) if result.kind == "SEG"]) == 2


def test_a_stack_whose_process_dies_again_and_again_fails_with_every_run_that_waits(house: House) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"))
    house.settle_until(StackState.ROUTED)
    house.queue.lost = True
    (stack,) = house.settle()
    assert ("process", "its job's process died 3 times under it") in house.given_up
    assert stack.state == StackState.FAILED
    assert {run.state for run in house.rows(Run)} == {RunState.FAILED}


def test_equipment_that_cannot_be_read_is_left_out_and_named_in_the_runs_record(house: House) -> None:
    image = radiograph("1.2.1", "1.2.1.1")
    house.put(image)
    (path,) = house.config.storage_folder.rglob("*.dcm")
    whole = encoded(image)
    before = whole.index(b"\x20\x00\x0d\x00UI")  # Study Instance UID
    path.write_bytes(whole[:before] + _SPOILT + whole[before:])
    (stack,) = house.settle()
    assert stack.state == StackState.DELIVERED
    names = {name for run in house.rows(Run) for name in run.record["sequences that cannot be read"]}
    assert names == {"ContributingEquipmentSequence"}
    assert not [event for event in house.rows(Event) if "cannot be split" in event.text]


def _on(image: object, segmentation: Segmentation) -> Segmentation:
    rows, columns = image.Rows, image.Columns  # type: ignore[attr-defined]
    return Segmentation(np.ones((1, rows, columns), np.uint8), segmentation.segments)
