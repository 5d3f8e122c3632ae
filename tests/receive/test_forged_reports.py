"""Storage commitment messages cost nothing before it is known who sends them, and little then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dicom_node.config import Config
from dicom_node.receive.commitment import commitment_offers
from dicom_node.receive.receiver import Receiver
from tests.faults.hostile import forged_reports
from tests.support.malformed import Wire, attack
from tests.support.memory import at_most_mb

_NOT_AUTHORISED, _RESOURCE_LIMITATION, _INVALID_ARGUMENT = 0x0124, 0x0213, 0x0115
_ELSEWHERE = "127.0.0.8"
_PATIENCE_S = 20.0


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A receiver that knows one peer, which may ask and report."""
    config = Config.model_validate(
        {
            "folder": tmp_path,
            "node": {"ae_title": "NODE", "port": 0, "commits": True},
            "storage": {"folder": tmp_path, "min_free_gb": 0},
            "peers": {"pacs": {"ae_title": "PACS", "host": "127.0.0.1", "port": 104}},
        }
    )
    receiver = Receiver(config, commitment_offers(config))
    receiver.start()
    yield receiver.port
    receiver.stop()


def _status(status: int) -> bytes:
    """Return the element (0000,0900) as a response has it."""
    return b"\0\0\0\t\2\0\0\0" + status.to_bytes(2, "little")


@pytest.mark.parametrize("forged", [forged_reports.report, forged_reports.large_report, forged_reports.action])
@pytest.mark.parametrize(("calling", "address"), [("FUZZER", "127.0.0.1"), ("PACS", _ELSEWHERE)])
def test_a_stranger_is_answered_before_anything_is_parsed(
    port: int, forged: Callable[..., Wire], calling: str, address: str
) -> None:
    connection = forged("NODE", calling=calling)
    with at_most_mb(20):
        heard = attack(port, connection, patience_s=_PATIENCE_S, address=address)
    assert _status(_NOT_AUTHORISED) in heard


@pytest.mark.parametrize("forged", [forged_reports.report, forged_reports.large_report, forged_reports.action])
def test_a_message_of_more_objects_than_are_taken_is_counted_and_not_built(
    port: int, tmp_path: Path, forged: Callable[..., Wire]
) -> None:
    connection = forged("NODE", calling="PACS")
    with at_most_mb(40):
        heard = attack(port, connection, patience_s=_PATIENCE_S)
    assert _status(_RESOURCE_LIMITATION) in heard
    assert not list(tmp_path.glob("commitment/*"))


def test_a_few_items_without_a_uid_are_no_message(port: int) -> None:
    heard = attack(port, forged_reports.report("NODE", items=3, calling="PACS"), patience_s=_PATIENCE_S)
    assert _status(_INVALID_ARGUMENT) in heard


@pytest.mark.parametrize("forged", [forged_reports.report, forged_reports.action])
def test_a_stranger_who_sends_message_after_message_gets_one_answer_a_second(
    port: int, forged: Callable[..., Wire]
) -> None:
    connection = forged("NODE", items=3)
    began = time.monotonic()
    heard = [attack(port, connection, patience_s=_PATIENCE_S) for _ in range(3)]
    assert all(_status(_NOT_AUTHORISED) in one for one in heard)
    assert time.monotonic() - began > 2
