"""No state without a way out: whatever changes under a delivery, a run or a series, it comes to an end."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, insert

from dicom_node.catalog import (
    CommitmentRequest,
    Delivery,
    DeliveryState,
    Event,
    Instance,
    OpenAssociation,
    Result,
    Run,
    RunState,
    Series,
    StackState,
)
from dicom_node.work.retention import Retention
from tests.deliver.pacs import Pacs, archive, unused_port
from tests.support.dicom import ct_slice, encoded, radiograph, series
from tests.work.house import House

CONFIG = """
[node]
receivers = 1
ae_title = "NODE"
[storage]
min_free_gb = 0
max_study_age_days = 100000
keep_days = 0
study_quiet_s = {study_quiet_s}
[workers]
max_attempts = 2
{peers}
[pipelines.contrast]
[pipelines.lung]
outputs = ["SEG"]
[gates.contrast]
pipeline = "contrast"
when = {{ Modality = "CT" }}
{gate}
[[routes]]
name = "lungs"
run = ["lung"]
{route}
when = {{ Modality = "CR" }}
[[routes]]
name = "best"
run = ["lung"]
pick = "best"
when = {{ Modality = "CT", contrast = "enhanced" }}
"""
PEER = """
[peers.{name}]
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
{settings}
"""
QUICK = "timeout_s = 2\nretry_s = 0.001\nretry_max_s = 0.001"


def furnished(folder: Path, port: int | None, settings: str = QUICK, *, study_quiet_s: float = 0.001) -> House:
    """Return a house with one peer, or with none where there is no port; on a folder in use it is a restart."""
    peers = PEER.format(name="pacs", port=port, settings=settings) if port else ""
    send_to = 'send_to = ["pacs"]' if port else ""
    return House(folder, CONFIG.format(peers=peers, gate=send_to, route=send_to, study_quiet_s=study_quiet_s))


def change(house: House, row: object, **values: object) -> None:
    with house.catalog.write() as session:
        merged = session.merge(row)
        for name, value in values.items():
            setattr(merged, name, value)


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    with archive() as running:
        yield running


def owing(folder: Path, port: int, settings: str = QUICK) -> House:
    house = furnished(folder, port, settings)
    house.owe(ct_slice("1.2.1", "1.2.1.1"), "pacs")
    return house


def test_what_waits_for_the_proof_of_a_peer_that_is_no_longer_configured_ends(tmp_path: Path) -> None:
    with archive(Pacs(commits="never")) as pacs:
        house = owing(tmp_path, pacs.port, f'{QUICK}\ncommitment = "required"')
        assert house.settle(ticks=2)[0].state == StackState.DELIVERING
    (stack,) = furnished(tmp_path, None).settle(ticks=2)
    assert stack.state == StackState.DELIVERED


def test_what_waits_for_a_proof_that_is_no_longer_asked_for_ends(tmp_path: Path) -> None:
    with archive(Pacs(commits="never")) as pacs:
        owing(tmp_path, pacs.port, f'{QUICK}\ncommitment = "required"').settle(ticks=2)
        (stack,) = furnished(tmp_path, pacs.port).settle(ticks=2)
    assert stack.state == StackState.DELIVERED


def test_a_stack_ends_whose_last_peer_is_no_longer_required(tmp_path: Path) -> None:
    port = unused_port()
    owing(tmp_path, port).settle(ticks=2)
    (stack,) = furnished(tmp_path, port, f"{QUICK}\nrequired = false").settle(ticks=2)
    assert stack.state == StackState.DELIVERED


def test_a_run_whose_results_cannot_be_encoded_again_ends_failed(tmp_path: Path) -> None:
    house = furnished(tmp_path, unused_port())
    house.put(radiograph("1.2.1", "1.2.1.1"))
    house.settle_until(StackState.DELIVERING)
    (run,) = house.rows(Run)
    (house.config.storage_folder / "runs" / run.id / "findings.npz").write_bytes(b"")
    change(house, house.rows(Series)[0], headers=1)
    house.queue.ends_failed = True
    (stack,) = house.settle(ticks=4)
    assert (house.rows(Run)[0].state, stack.state) == (RunState.FAILED, StackState.FAILED)
    assert "could not be encoded again" in stack.reason


def test_a_stack_waits_for_the_rest_of_its_study_though_its_gates_report_is_delivered(
    tmp_path: Path, pacs: Pacs
) -> None:
    house = furnished(tmp_path, pacs.port, study_quiet_s=7200)
    house.put(*series(3))
    (stack,) = house.settle(ticks=6)
    assert house.rows(Delivery)[0].state == DeliveryState.STORED
    assert stack.state == StackState.WAITING


def test_an_image_that_comes_after_its_series_was_removed_opens_one_generation(tmp_path: Path, pacs: Pacs) -> None:
    house = furnished(tmp_path, pacs.port)
    images = series(3)
    house.put(*images)
    house.settle_until(StackState.DELIVERED)
    assert Retention(house.config, house.catalog).tidy() == 1
    house.put(ct_slice(images[0].StudyInstanceUID, images[0].SeriesInstanceUID, 4))
    house.settle(ticks=6)
    assert house.rows(Series)[0].generation == 2


def test_a_message_about_commitment_that_cannot_be_read_stops_nothing(tmp_path: Path, pacs: Pacs) -> None:
    house = owing(tmp_path, pacs.port)
    folder = house.config.storage_folder / "commitment"
    folder.mkdir()
    (folder / "1.json").write_text('{"transaction_uid": "1.2')
    (folder / "2.json").write_text('{"transaction": "1.2"}')
    house.settle_until(StackState.DELIVERED)


def test_thousands_of_results_for_a_peer_that_is_gone_end(tmp_path: Path, few_values: int) -> None:
    house = owing(tmp_path, unused_port())
    (result,), now = house.rows(Result), time.time()
    uids = [f"1.2.3.{number}" for number in range(2 * few_values)]
    with house.catalog.write() as session:
        values = {"run_id": result.run_id, "kind": "SEG", "sop_class_uid": "1.2", "path": "x", "sha256": "", "at": now}
        session.add_all(Result(uid=uid, **values) for uid in uids)
        session.flush()
        waits = {"peer": "pacs", "state": DeliveryState.WAITING, "first_at": now, "next_at": now}
        session.execute(insert(Delivery), [{"result_uid": uid, **waits} for uid in uids])
    (stack,) = furnished(tmp_path, None).settle(ticks=1)
    assert {one.state for one in house.rows(Delivery)} == {DeliveryState.FAILED}
    assert stack.state == StackState.DELIVERED


@pytest.fixture
def few_values() -> Iterator[int]:
    """Let every SQLite take no more values in a statement than older ones do."""
    limit = 999

    def tighten(connection: sqlite3.Connection, _record: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, limit)

    event.listen(Engine, "connect", tighten)
    yield limit
    event.remove(Engine, "connect", tighten)


def test_a_peer_that_hangs_up_over_an_object_is_left_alone_for_a_while(tmp_path: Path) -> None:
    with archive(Pacs(aborts_at=set(range(1, 100)))) as pacs:
        house = owing(tmp_path, pacs.port, "retry_s = 600\nretry_max_s = 600")
        second = ct_slice("1.2.1", "1.2.1.1", 2)
        run = house.rows(Run)[0].id
        with house.catalog.write() as session:
            uid, now = str(second.SOPInstanceUID), time.time()
            path = f"runs/{uid}.dcm"
            (house.config.storage_folder / path).write_bytes(encoded(second))
            session.add(
                Result(uid=uid, run_id=run, kind="SR", sop_class_uid=second.SOPClassUID, path=path, sha256="", at=now)
            )
            session.flush()
            session.add(Delivery(result_uid=uid, peer="pacs", state=DeliveryState.WAITING, first_at=now, next_at=now))
        house.settle(ticks=6)
        assert pacs.asked == 1


def test_times_that_a_wrong_clock_wrote_are_set_right(tmp_path: Path) -> None:
    house = owing(tmp_path, unused_port(), f"{QUICK}\ngive_up_after_h = 0.0001")
    in_a_year = time.time() + 365 * 24 * 3600
    change(house, house.rows(Delivery)[0], first_at=in_a_year)
    request = CommitmentRequest(
        peer="pacs", transaction_uid="1.2.3", objects={}, attempt=0, first_at=in_a_year, next_at=in_a_year
    )
    change(house, request)
    house.settle_until(StackState.FAILED, within_s=10)
    while house.rows(CommitmentRequest):
        house.settle(ticks=1)


def test_a_question_of_a_peer_that_is_no_longer_configured_is_forgotten(tmp_path: Path) -> None:
    house = furnished(tmp_path, None)
    now = time.time()
    change(
        house,
        CommitmentRequest(peer="gone", transaction_uid="1.2.3", objects={}, attempt=0, first_at=now, next_at=now),
    )
    house.settle(ticks=1)
    assert not house.rows(CommitmentRequest)


def test_a_question_under_whose_answer_the_process_dies_each_time_is_given_up(tmp_path: Path) -> None:
    house = furnished(tmp_path, unused_port(), f"{QUICK}\ngive_up_after_h = 0.0001")
    now = time.time()
    question = CommitmentRequest(peer="pacs", transaction_uid="1.2.3", objects={}, attempt=0, first_at=now, next_at=now)
    change(house, question)
    house.queue.lost = True
    deadline = time.monotonic() + 20
    while house.rows(CommitmentRequest):
        assert time.monotonic() < deadline
        house.settle(ticks=1)
    assert [one.text for one in house.rows(Event)] == ["pacs was not told what is kept: the process that answered died"]


def test_an_association_of_a_machine_that_is_gone_keeps_a_study_open_for_an_hour(tmp_path: Path) -> None:
    house = furnished(tmp_path, None)
    house.put(ct_slice("1.2.1", "1.2.1.1"), age_s=1800)
    house.put(ct_slice("1.2.2", "1.2.2.1"), age_s=3700)
    for study_uid in ("1.2.1", "1.2.2"):
        change(house, OpenAssociation(id="retired.1", study_uid=study_uid))
    assert {stack.study_uid for stack in house.settle(ticks=4)} == {"1.2.2"}


@pytest.mark.parametrize("commitment", ["c-find", "required"])
def test_a_result_whose_file_is_gone_keeps_no_other_from_being_proved(tmp_path: Path, commitment: str) -> None:
    with archive() as pacs:
        house = owing(tmp_path, pacs.port, f'commitment = "{commitment}"\nretry_s = 600\nretry_max_s = 600')
        house.owe(ct_slice("1.2.2", "1.2.2.1"), "pacs")
        house.settle(ticks=1)
        assert {one.state for one in house.rows(Delivery)} == {DeliveryState.STORED}
        first = next(one for one in house.stacks() if one.series_uid == "1.2.1.1")
        (gone,) = (one for one in house.rows(Result) if one.run_id == first.id)
        (house.config.storage_folder / gone.path).unlink()
        house.settle(ticks=4)
    states = {one.result_uid == gone.uid: one.state for one in house.rows(Delivery)}
    assert states == {True: DeliveryState.STORED, False: DeliveryState.COMMITTED}


def test_a_prior_under_which_the_process_dies_is_done_without(tmp_path: Path, pacs: Pacs) -> None:
    text = CONFIG.replace('name = "lungs"', 'name = "lungs"\nneeds_prior = true')
    peers = PEER.format(name="pacs", port=pacs.port, settings=QUICK)
    send_to = 'send_to = ["pacs"]'
    house = House(tmp_path, text.format(peers=peers, gate=send_to, route=send_to, study_quiet_s=0.001))
    house.put(radiograph("1.2.1", "1.2.1.1"))
    house.settle_until(StackState.ROUTED)
    house.queue.lost = True
    house.settle(ticks=10)
    assert ("prior", "its job's process died 2 times under it") in house.given_up


def test_a_series_is_split_though_one_object_has_a_spacing_under_a_vr_that_there_is_not(tmp_path: Path) -> None:
    house = furnished(tmp_path, None)
    spoilt, whole = radiograph("1.2.1", "1.2.1.1"), radiograph("1.2.1", "1.2.1.1")
    spoilt.ImagerPixelSpacing = [0.1, 0.1]
    house.put(spoilt, whole)
    (row,) = (one for one in house.rows(Instance) if one.uid == spoilt.SOPInstanceUID)
    file = house.config.storage_folder / row.path
    known, unknown = b"\x18\x00\x64\x11DS", b"\x18\x00\x64\x11ZZ"
    file.write_bytes(file.read_bytes().replace(known, unknown))
    assert file.read_bytes().count(unknown) == 1
    stacks = house.settle_until(StackState.DELIVERED)
    assert len(stacks) == 2
    assert sorted(bool(one.shows) for one in stacks) == [False, True]  # the spoilt one is never taken for a copy
    assert house.models.ran == ["lung", "lung"]
