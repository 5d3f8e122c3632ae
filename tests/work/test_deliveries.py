"""Results on their way to peers that are there, away, slow, forgetful or silent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage
from sqlalchemy import select

from dicom_node.catalog import CommitmentRequest, Delivery, DeliveryState, PeerState, Result, Run, StackState
from dicom_node.commitment import Message, keep_message
from dicom_node.config import Config
from dicom_node.receive.commitment import commitment_offers
from dicom_node.receive.receiver import Receiver
from dicom_node.status import retry_deliveries
from dicom_node.work.messages import take_messages
from tests.deliver.pacs import Pacs, archive, unused_port
from tests.support.dicom import ct_slice
from tests.work.house import House

CONFIG = """
[node]
receivers = 1
ae_title = "NODE"
port = 0
commits = true
[storage]
min_free_gb = 0
max_study_age_days = 100000
[peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
{peer}
"""
DEFAULTS = {"timeout_s": 5, "retry_s": 0.001, "retry_max_s": 0.001}


def furnished(folder: Path, port: int, **peer: object) -> House:
    lines = [f"{key} = {value!r}" for key, value in {**DEFAULTS, **peer}.items()]
    house = House(folder, CONFIG.format(port=port, peer="\n".join(lines)))
    house.owe(ct_slice("1.2.1", "1.2.1.1"), "pacs")
    return house


@contextmanager
def receiving(house: House, pacs: Pacs, config: Config | None = None) -> Iterator[None]:
    config = config or house.config
    receiver = Receiver(config, commitment_offers(config))
    receiver.start()
    pacs.reports_to = lambda: receiver.port
    try:
        yield
    finally:
        receiver.stop()


def ended(house: House, state: StackState) -> str:
    """Work until the only stack is in a state; return why."""
    (stack,) = house.settle_until(state)
    return stack.reason


@pytest.mark.parametrize("way", ["same association", "new association"])
def test_a_stack_is_delivered_once_the_peer_has_committed_itself(tmp_path: Path, way: str) -> None:
    with archive(Pacs(commits=way)) as pacs:
        house = furnished(tmp_path, pacs.port, commitment="required")
        with receiving(house, pacs):
            ended(house, StackState.DELIVERED)
    (delivery,) = house.rows(Delivery)
    assert (delivery.state, delivery.asked) == (DeliveryState.COMMITTED, 1)


def test_a_stored_object_whose_commitment_is_open_is_not_delivered_yet(tmp_path: Path) -> None:
    with archive(Pacs(commits="never")) as pacs:
        house = furnished(tmp_path, pacs.port, commitment="required", timeout_s=2)
        assert house.settle(ticks=3)[0].state == StackState.DELIVERING
    assert house.rows(Delivery)[0].state == DeliveryState.STORED


def test_a_peer_that_never_answers_is_asked_anew_and_then_queried(tmp_path: Path) -> None:
    with archive(Pacs(commits="never")) as pacs:
        house = furnished(tmp_path, pacs.port, commitment="required", commit_timeout_h=1e-6, timeout_s=1.5)
        ended(house, StackState.DELIVERED)
    assert len(set(pacs.transactions)) == 2
    assert house.rows(Delivery)[0].reason == "a query finds it"


def test_a_peer_that_takes_no_queries_is_asked_again_for_reports_that_were_lost(tmp_path: Path) -> None:
    with archive(Pacs(commits="same association", unanswered=3, answers_queries=False)) as pacs:
        house = furnished(tmp_path, pacs.port, commitment="required", commit_timeout_h=1e-6, timeout_s=1.5)
        ended(house, StackState.DELIVERED)
    assert len(set(pacs.transactions)) == 4
    assert house.rows(PeerState)[0].failures == 0, "a peer that answers is not away"


@pytest.mark.parametrize("commitment", ["required", "c-find"])
def test_a_peer_without_commitment_proves_by_a_query(tmp_path: Path, commitment: str) -> None:
    with archive() as pacs:
        house = furnished(tmp_path, pacs.port, commitment=commitment)
        ended(house, StackState.DELIVERED)
    assert house.rows(Delivery)[0].state == DeliveryState.COMMITTED


def test_an_object_that_a_query_does_not_find_is_sent_again(tmp_path: Path) -> None:
    with archive() as pacs:
        house = furnished(tmp_path, pacs.port, commitment="c-find")
        house.settle(ticks=1)
        pacs.received.clear()
        ended(house, StackState.DELIVERED)
    assert len(pacs.order) == 2


@pytest.mark.parametrize("reason", [0x0110, 0x0213, 0x0131, 0x0112])
def test_a_passing_failure_to_commit_ends_committed(tmp_path: Path, reason: int) -> None:
    with archive(Pacs(commits="same association", failures=[reason])) as pacs:
        house = furnished(tmp_path, pacs.port, commitment="required")
        ended(house, StackState.DELIVERED)
    assert len(set(pacs.transactions)) == 2
    assert len(pacs.order) == (2 if reason == 0x0112 else 1)


@pytest.mark.parametrize("reason", [0x0119, 0x0122])
def test_a_final_failure_to_commit_parks_with_its_reason(tmp_path: Path, reason: int) -> None:
    with archive(Pacs(commits="same association", failures=[reason])) as pacs:
        house = furnished(tmp_path, pacs.port, commitment="required")
        assert f"not committed: 0x{reason:04X}" in ended(house, StackState.FAILED)


def test_what_is_never_proved_fails_in_the_end(tmp_path: Path) -> None:
    with archive(Pacs(answers_queries=False)) as pacs:
        house = furnished(tmp_path, pacs.port, commitment="c-find", give_up_after_h=1e-4)
        assert "stored, but not proved" in ended(house, StackState.FAILED)


def test_after_a_day_without_the_pacs_everything_arrives_the_most_urgent_first(tmp_path: Path) -> None:
    port = unused_port()
    house = furnished(tmp_path, port)
    for number in range(2, 51):
        house.owe(ct_slice(f"1.2.{number}", f"1.2.{number}.1"), "pacs", priority=1 + number * 7 % 9)
    house.settle(ticks=20)
    assert {row.state for row in house.rows(Delivery)} == {DeliveryState.WAITING}
    with archive(port=port, classes=[CTImageStorage]) as pacs:
        house.settle_until(StackState.DELIVERED)
    priorities = {run.id: stack.priority for stack in house.stacks() for run in house.rows(Run) if run.id == stack.id}
    arrived = [priorities[result.run_id] for uid in pacs.order for result in house.rows(Result) if result.uid == uid]
    assert len(set(pacs.order)) == len(arrived) == 50
    assert arrived == sorted(arrived)


def test_a_peer_that_is_away_is_called_by_one_job_at_a_time_and_says_why(tmp_path: Path) -> None:
    house = furnished(tmp_path, unused_port())
    house.owe(ct_slice("1.2.2", "1.2.2.1"), "pacs")
    house.settle(ticks=1)
    (before,) = house.rows(PeerState)
    time.sleep(0.01)
    house.settle(ticks=1)
    (after,) = house.rows(PeerState)
    assert after.failures == before.failures + 1
    assert "refused the connection" in after.reason


def test_an_object_over_which_the_peer_hangs_up_does_not_keep_others_from_arriving(tmp_path: Path) -> None:
    with archive(Pacs(aborts_at={1})) as pacs:
        house = furnished(tmp_path, pacs.port, retry_s=600, retry_max_s=600)
        house.owe(ct_slice("1.2.2", "1.2.2.1"), "pacs", priority=9)
        first, second = house.settle(ticks=4)
    assert (first.state, second.state) == (StackState.DELIVERING, StackState.DELIVERED)


def test_what_waits_for_a_peer_for_too_long_fails_and_a_retry_sends_it(tmp_path: Path) -> None:
    port = unused_port()
    house = furnished(tmp_path, port, give_up_after_h=1e-9)
    assert "given up after" in ended(house, StackState.FAILED)
    with archive(port=port):
        assert retry_deliveries(house.catalog) == 1
        ended(house, StackState.DELIVERED)


def test_a_sender_may_ask_whether_we_keep_what_we_acknowledged(tmp_path: Path) -> None:
    there, never_sent = ct_slice("1.2.3", "1.2.3.1"), ct_slice("1.2.3", "1.2.3.1", 2)
    with archive(Pacs(commits="never")) as pacs:
        house = furnished(tmp_path, pacs.port)
        house.put(there)
        with receiving(house, pacs):
            pacs.ask_commitment([there, never_sent])
            house.settle(ticks=2)
            assert pacs.reports == []  # what was acknowledged just now may have no row yet
            with house.catalog.write() as session:
                request = session.scalars(select(CommitmentRequest)).one()
                request.first_at, request.next_at = request.first_at - 60, 0.0
            house.settle(ticks=3)
    (report,) = pacs.reports
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [there.SOPInstanceUID]
    (failed,) = report.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (never_sent.SOPInstanceUID, 0x0112)
    assert not house.rows(CommitmentRequest)


def test_a_report_counts_only_from_the_peer_that_was_asked_and_for_what_was_asked(tmp_path: Path) -> None:
    with archive(Pacs(commits="never")) as pacs:
        house = furnished(tmp_path, pacs.port, commitment="required", timeout_s=1.5)
        house.settle(ticks=3)
    (result,), (asked,) = house.rows(Result), house.rows(Delivery)
    pair = (result.sop_class_uid, result.uid)
    kept = Message(asked.transaction_uid, [pair], [], ["pacs"], is_report=True)
    for said in (
        replace(kept, peers=["another"]),
        replace(kept, objects=[("1.2.840.10008.5.1.4.1.1.4", result.uid)]),
        replace(kept, objects=[]),
        replace(kept, transaction_uid="1.2.3"),
    ):
        keep_message(said, house.config.storage_folder)
        take_messages(house.config, house.catalog)
        assert [row.state for row in house.rows(Delivery)] == [DeliveryState.STORED]
    keep_message(replace(kept, failures=[(*pair, 0x0122)]), house.config.storage_folder)  # in both lists
    take_messages(house.config, house.catalog)
    assert [row.state for row in house.rows(Delivery)] == [DeliveryState.FAILED]


def test_a_stranger_with_a_peers_ae_title_reports_nothing(tmp_path: Path) -> None:
    with archive(Pacs(commits="new association")) as pacs:
        house = furnished(tmp_path, pacs.port, commitment="required", timeout_s=1.5)
        elsewhere = house.config.peers["pacs"].model_copy(update={"host": "192.0.2.1"})
        strange = house.config.model_copy(update={"peers": {"pacs": elsewhere}})
        with receiving(house, pacs, strange):
            house.settle(ticks=3)
    assert [row.state for row in house.rows(Delivery)] == [DeliveryState.STORED]
