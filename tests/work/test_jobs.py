from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import FileDataset

from dicom_node.catalog import Delivery, OpenAssociation, Result, Run, Series, StackState
from dicom_node.demo.pacs import SmallPacs
from dicom_node.findings import Code, Removed, Segment, Segmentation
from dicom_node.infer.process import Answer
from dicom_node.status import history, retry_deliveries, send_round_again
from tests.support.dicom import ct_slice, radiograph, series
from tests.work.house import CODE, ORGAN, House

CONFIG = """
[storage]
max_generations = 2
regeneration_s = 300
max_study_age_days = 100000
[workers]
max_attempts = 2
[peers.pacs]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {port}
timeout_s = 5
retry_s = 0.001
retry_max_s = 0.001
[pipelines.contrast]
[pipelines.lung]
outputs = ["SEG", "SR"]
[pipelines.liver]
outputs = ["SEG"]
[gates.contrast]
pipeline = "contrast"
when = {{ Modality = "CT" }}
send_to = ["pacs"]
[[routes]]
name = "lungs"
run = ["lung"]
send_to = ["pacs"]
when = {{ Modality = "CR" }}
[[routes]]
name = "livers"
run = ["liver"]
send_to = ["pacs"]
pick = "best"
prefer = {{ ConvolutionKernel = "SOFT" }}
when = {{ Modality = "CT", contrast = "enhanced", SeriesDescription = "abdomen" }}
[[routes]]
name = "thoraces"
run = ["lung"]
send_to = ["pacs"]
pick = "best"
prefer = {{ contrast = "enhanced" }}
when = {{ Modality = "CT", SeriesDescription = "thorax" }}
[[routes]]
name = "reported"
run = ["lung"]
send_to = ["pacs"]
report_refusals = true
when = {{ Modality = "CR", SeriesDescription = "report" }}
"""


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[SmallPacs]:
    with SmallPacs(tmp_path / "pacs") as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, pacs: SmallPacs) -> House:
    return House(tmp_path, CONFIG.format(port=pacs.port))


def test_a_matching_radiograph_ends_delivered_with_its_results_at_the_peer(house: House, pacs: SmallPacs) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"))
    (stack,) = house.settle()
    assert (stack.state, stack.reason) == (StackState.DELIVERED, "lung to pacs")
    assert {path.stem for path in pacs.instances()} == {result.uid for result in house.rows(Result)}
    assert sorted(result.kind for result in house.rows(Result)) == ["SEG", "SR"]


def test_a_gates_report_is_delivered_though_no_route_matches(house: House, pacs: SmallPacs) -> None:
    house.put(*series(3))
    (stack,) = house.settle()
    assert stack.state == StackState.DELIVERED
    assert "no route matches" in stack.reason
    assert len(pacs.instances("SR")) == 1


def test_an_uncertain_gate_holds_until_a_person_settles_the_fact(house: House, pacs: SmallPacs) -> None:
    house.models.contrast = "uncertain"
    house.put(*_abdomen("1.2.1.1", "SOFT"))
    (stack,) = house.settle()
    assert stack.state == StackState.HELD
    assert not pacs.instances("SEG")
    send_round_again(house.catalog, stack.id[:8], {"contrast": "enhanced"}, force=False)
    assert house.settle()[0].state == StackState.DELIVERED
    assert len(pacs.instances("SEG")) == 1


def test_a_gate_without_weights_leaves_its_fact_uncertain_and_says_so(house: House) -> None:
    house.models.contrast = Answer(problem="not run: no weights for contrast")
    house.put(*_abdomen("1.2.1.1", "SOFT"))
    (stack,) = house.settle()
    assert stack.state == StackState.HELD
    assert "no weights" in stack.reason


def test_the_best_of_a_studys_series_runs_and_the_others_say_which(house: House) -> None:
    house.put(*_abdomen("1.2.1.1", "SHARP"), *_abdomen("1.2.1.2", "SOFT"))
    sharp, soft = house.settle()
    assert house.models.ran.count("liver") == 1
    assert "liver" in soft.reason
    assert "was chosen" in sharp.reason


def test_a_model_that_crashes_fails_its_run_with_the_reason(house: House) -> None:
    house.models.broken = {"lung"}
    house.put(radiograph("1.2.1", "1.2.1.1"))
    (stack,) = house.settle()
    assert (stack.state, stack.reason) == (
        StackState.FAILED,
        "lung: lung: the model process was ended by SIGSEGV",
    )


def test_what_a_pipeline_declines_ends_refused(house: House) -> None:
    house.models.declined = {"lung": "lateral view"}
    house.put(radiograph("1.2.1", "1.2.1.1"))
    (stack,) = house.settle()
    assert (stack.state, stack.reason) == (StackState.REFUSED, "lung: lateral view")
    assert house.models.ran == []


def test_a_refusal_is_reported_where_the_route_wants_it(house: House, pacs: SmallPacs) -> None:
    house.models.declined = {"lung": "lateral view"}
    image = radiograph("1.2.1", "1.2.1.1")
    image.SeriesDescription = "report"
    house.put(image)
    (stack,) = house.settle()
    assert stack.state == StackState.DELIVERED
    assert "lateral view" in stack.reason
    assert len(pacs.instances("SR")) == 1


def test_what_is_no_organ_ends_the_stack_with_the_reason_and_is_reported(house: House, pacs: SmallPacs) -> None:
    why = "not delivered, because the lung found is too ragged"
    house.models.refused = {"lung": why}
    house.put(radiograph("1.2.1", "1.2.1.1"))
    (stack,) = house.settle()
    assert (stack.state, stack.reason) == (StackState.REFUSED, f"lung: {why}")
    assert f"lung: refused: {why}" in [text for _, text in history(house.catalog, stack.id[:8])[1]]
    assert not pacs.instances()


def test_parts_that_were_removed_stand_in_the_runs_record_with_their_size(house: House) -> None:
    organ = Segment(1, "liver", ORGAN, CODE, (80, 160, 240))
    labels = np.zeros((1, 32, 32), np.uint8)
    labels[0, :20, :20] = 1
    left_out = Removed("liver", 2, 12.5, Code("mL", "UCUM", "milliliter"))
    house.models.found = {"lung": (Segmentation(labels, (organ,)), left_out)}
    house.put(radiograph("1.2.1", "1.2.1.1"))
    house.settle()
    (run,) = house.rows(Run)
    assert run.record["removed"] == [{"of": "liver", "parts": 2, "value": 12.5, "unit": "mL"}]


def test_an_object_that_cannot_be_read_refuses_its_series_by_name(house: House) -> None:
    house.put(*series(3))
    for path in sorted(house.config.storage_folder.rglob("*.dcm"))[:1]:
        path.write_bytes(b"not DICOM")
    assert {stack.state for stack in house.settle()} == {StackState.REFUSED}
    assert "1 objects cannot be read" in house.stacks()[0].reason


def test_a_series_is_left_alone_while_an_association_to_its_study_is_open(house: House) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"), age_s=1800)
    with house.catalog.write() as session:
        session.add(OpenAssociation(id="a", study_uid="1.2.1"))
    assert house.settle() == []
    with house.catalog.write() as session:
        session.delete(session.get_one(OpenAssociation, ("a", "1.2.1")))
    assert len(house.settle()) == 1


def test_a_series_still_arriving_is_left_alone(house: House) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"), age_s=1.0)
    assert house.settle() == []


def test_late_instances_wait_and_then_make_a_new_stack(house: House) -> None:
    house.put(*series(3))
    house.settle()
    uids = house.rows(Series)[0]
    house.put(ct_slice(uids.study_uid, uids.uid, 4), age_s=60.0)
    assert len(house.settle()) == 1
    with house.catalog.write() as session:
        session.get_one(Series, (uids.study_uid, uids.uid)).last_at -= 300
    first, second = house.settle()
    assert (first.generation, second.generation) == (1, 2)
    assert len(second.content["frames"]) == 4


def test_a_series_that_keeps_changing_is_held(house: House) -> None:
    house.put(*series(3))
    for number in (4, 5):
        house.settle()
        uids = house.rows(Series)[0]
        house.put(ct_slice(uids.study_uid, uids.uid, number))
    assert house.settle()[-1].state == StackState.HELD


def test_a_peer_that_is_down_gets_its_results_later(house: House, pacs: SmallPacs, tmp_path: Path) -> None:
    pacs.__exit__(None, None, None)
    house.put(radiograph("1.2.1", "1.2.1.1"))
    assert house.settle()[0].state == StackState.DELIVERING
    with SmallPacs(tmp_path / "pacs", port=pacs.port) as back:
        assert house.settle()[0].state == StackState.DELIVERED
        assert len(back.instances()) == 2
    assert all(row.attempt > 0 for row in house.rows(Delivery))


def test_retry_sends_now_what_was_given_up(house: House, pacs: SmallPacs) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"))
    house.settle()
    with house.catalog.write() as session:
        for row in house.rows(Delivery):
            session.merge(row).state = "failed"
    assert retry_deliveries(house.catalog) == 2
    assert house.settle()[0].state == StackState.DELIVERED
    assert len(pacs.instances()) == 2


def test_a_stack_whose_jobs_are_lost_again_and_again_is_given_up(house: House) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"))
    house.settle(ticks=3)
    house.queue.lost = True
    house.put(radiograph("1.2.2", "1.2.2.1"))
    house.settle()
    assert house.given_up[0] == ("split", "its job's process died 2 times under it")


def test_judging_twice_makes_no_second_result(house: House, pacs: SmallPacs) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"))
    (stack,) = house.settle()
    before = {path.name: path.read_bytes() for path in pacs.instances()}
    send_round_again(house.catalog, stack.id, {}, force=False)
    assert house.settle()[0].state == StackState.DELIVERED
    assert {path.name: path.read_bytes() for path in pacs.instances()} == before
    assert len(house.rows(Run)) == 1


def test_a_picking_route_prefers_what_the_gates_found_and_above_that_what_a_person_settled(house: House) -> None:
    house.models.contrast_of = {"1.2.1.1": "enhanced", "1.2.1.2": "non-enhanced"}
    house.put(*_thorax("1.2.1.1"), *_thorax("1.2.1.2"))
    enhanced, plain = house.settle_until(StackState.DELIVERED)
    assert "because series" in plain.reason
    assert "because series" not in enhanced.reason
    for stack, said in ((enhanced, "non-enhanced"), (plain, "enhanced")):
        send_round_again(house.catalog, stack.id, {"contrast": said}, force=False)
    _, plain = house.settle()
    assert "because series" not in plain.reason


def _thorax(series_uid: str) -> list[FileDataset]:
    slices = [ct_slice("1.2.1", series_uid, number) for number in range(1, 5)]
    for one in slices:
        one.SeriesDescription = "thorax"
    return slices


def _abdomen(series_uid: str, kernel: str) -> list[FileDataset]:
    slices = [ct_slice("1.2.1", series_uid, number) for number in range(1, 5)]
    for one in slices:
        one.SeriesDescription, one.ConvolutionKernel = "abdomen", kernel
    return slices
