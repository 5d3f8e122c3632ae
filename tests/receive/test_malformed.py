"""Whatever a peer sends, the receiver stays up, keeps its files where they belong and serves the next sender."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_node.catalog import Instance
from tests.receive.node import Site, eventually, running
from tests.support.dicom import deflate_bomb, series
from tests.support.malformed import ESCAPED, Wire, attack, objects, request, stored, wires
from tests.support.memory import at_most_mb

_FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One receiver for many attacks; its storage folder is alone in its folder."""
    folder = tmp_path_factory.mktemp("attacked") / "storage"
    folder.mkdir()
    with running(folder, silence_s=2.0) as site:
        yield site


@_FEW
@given(wire=wires("NODE"))
def test_a_connection_that_breaks_the_rules_ends_alone(shared: Site, wire: Wire) -> None:
    attack(shared.receiver.port, wire)
    assert shared.receiver.is_alive


@pytest.mark.parametrize("syntaxes", [(CTImageStorage, ""), ("", ExplicitVRLittleEndian)])
def test_a_presentation_context_without_a_syntax_is_the_callers_error_and_not_ours(
    shared: Site, caplog: pytest.LogCaptureFixture, syntaxes: tuple[str, str]
) -> None:
    heard = attack(shared.receiver.port, [request("NODE", [(1, *syntaxes)])], patience_s=5.0)
    assert heard[:1] == b"\x07"  # A-ABORT
    assert not [one for one in caplog.records if one.levelname == "ERROR" or one.name.startswith("pynetdicom")]


def test_a_good_sender_is_served_after_all_of_them(shared: Site) -> None:
    assert shared.store(series(3)) == [0, 0, 0]


@_FEW
@given(broken=objects())
def test_a_broken_object_is_stored_or_refused_and_nothing_is_written_elsewhere(
    shared: Site, broken: tuple[bytes, str]
) -> None:
    data_set, uid = broken
    attack(shared.receiver.port, stored(data_set, uid), patience_s=1.0)
    assert [path.name for path in shared.folder.parent.iterdir()] == ["storage"]
    assert not ESCAPED.exists()
    assert all(path.resolve().is_relative_to(shared.folder) for path in shared.folder.rglob("*.dcm"))


def test_no_file_handle_and_no_thread_is_left_behind(shared: Site) -> None:
    assert shared.receiver.is_alive
    eventually(lambda: threading.active_count() < 12, within_s=30)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) < 80


def test_three_hundred_half_open_connections_leave_room_for_a_good_sender(shared: Site) -> None:
    with ExitStack() as held:
        for number in range(300):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", shared.receiver.port), timeout=5))
            connection.sendall(request("NODE")[: number % 80])
        assert shared.store(series(2)) == [0, 0]


def test_a_deflate_bomb_costs_the_receiver_no_memory(shared: Site) -> None:
    bomb = deflate_bomb(inflated_mb=1000)
    with at_most_mb(100):
        assert shared.store_file(bomb).Status == 0
        eventually(lambda: "1.2.1.1" in {row.series_uid for row in shared.rows(Instance)}, within_s=30)
