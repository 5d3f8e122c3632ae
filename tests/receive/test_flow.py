"""When no more should come: limits of associations, a disk that is full, rows that lag behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import text

from dicom_node.catalog import Instance, OpenAssociation
from dicom_node.config import Config
from dicom_node.processes import start as start_process
from dicom_node.receive.association_table import AssociationTable
from dicom_node.receive.listening import listen
from dicom_node.receive.receiver import Receiver
from tests.receive.node import Site, associated, configure, eventually, running
from tests.receive.wire import REJECTED, connected, open_wire
from tests.support.dicom import encoded, series

CT = [(CTImageStorage, ExplicitVRLittleEndian)]
TRANSIENT, BY_PRESENTATION, CONGESTED, LIMIT = 2, 3, 1, 2  # PS3.8 Table 9-21


def _rejection(port: int) -> tuple[int, int, int]:
    with connected(port) as wire:
        kind, body = wire.receive()
        assert kind == REJECTED
        return body[1], body[2], body[3]


def test_one_caller_leaves_room_for_others(start: Callable[..., Site]) -> None:
    site = start(max_associations_per_caller=2)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(open_wire(site.receiver.port))  # called FUZZER
        assert _rejection(site.receiver.port) == (TRANSIENT, BY_PRESENTATION, LIMIT)
        assert site.store(series(1), calling="ANOTHER") == [0]


def test_an_association_that_has_ended_gives_its_place_back(start: Callable[..., Site]) -> None:
    site = start(max_associations=1)
    for _ in range(3):
        with open_wire(site.receiver.port) as wire:
            wire.release()
    assert site.store(series(1)) == [0]


def test_senders_are_told_to_come_later_while_too_much_waits_for_rows(tmp_path: Path) -> None:
    config = configure(tmp_path)
    storage = config.storage.model_copy(update={"max_waiting": 3})
    receiver = Receiver(Config.model_validate({**config.model_dump(), "storage": storage}))
    receiver.start()  # and no registrar
    with associated(receiver.port, CT) as association:
        statuses = [association.send_c_store(one).Status for one in series(3)]
        for number in range(4):
            (tmp_path / "incoming" / f"{number}.dcm").touch()
        eventually(lambda: association.send_c_store(series(1)[0]).Status == 0xA700)
    assert _rejection(receiver.port) == (TRANSIENT, BY_PRESENTATION, CONGESTED)
    receiver.stop()
    assert statuses == [0, 0, 0]


def test_a_push_without_a_pause_gets_its_rows_while_it_goes_on(site: Site) -> None:
    images = series(400)
    with site.association(CT) as association:
        for sent, one in enumerate(images, 1):  # noqa: B007 - looked at below
            assert association.send_c_store(one).Status == 0x0000
            time.sleep(0.02)
            if site.count(Instance):
                break
    assert sent < len(images)
    assert len(site.registered(sent)) == sent


def test_a_push_under_way_is_left_alone_until_its_first_object_has_waited_for_two_seconds(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    first, last = time.time(), time.time() + 60  # by its name the last one always came just now
    for at, one in zip((first, last), series(2), strict=True):
        (tmp_path / "incoming" / f"{int(at * 1e9):016x}.aa.dcm").write_bytes(encoded(one))
    looks = 0
    with running(tmp_path) as site:
        while not site.count(Instance):
            assert time.time() < first + 30
            looks += 1
            time.sleep(0.05)
        assert time.time() > first + 2
        site.registered(2)
    assert looks


def test_rows_that_a_lost_write_ahead_log_took_are_made_again(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        site.store(series(3))
        site.registered(3)
        with site.catalog.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            before = (tmp_path / "catalog.sqlite").read_bytes()  # what a checkpoint had brought there so far
        site.store(series(4))
        site.registered(7)
    for path in tmp_path.glob("catalog.sqlite-*"):
        path.unlink()
    (tmp_path / "catalog.sqlite").write_bytes(before)
    with running(tmp_path) as site:
        assert len(site.registered(7)) == 7


def test_what_a_killed_receiver_had_acknowledged_is_registered_without_a_new_start(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        table = AssociationTable(site.config.node.max_associations)
        with listen("127.0.0.1", 0) as listener:
            module = "dicom_node.receive.receiver_process"
            process, connection = start_process("receiver", module, site.config, shared=(listener, table))
            port = listener.getsockname()[1]
        with process, connection:
            assert connection.recv_bytes() == b""
            with associated(port, CT) as association:
                assert [association.send_c_store(one).Status for one in series(5)] == [0] * 5
                eventually(lambda: site.count(OpenAssociation) == 1)
                os.kill(process.pid, signal.SIGKILL)
        site.registered(5)
        eventually(lambda: site.count(OpenAssociation) == 0 and not list((tmp_path / "ready").iterdir()))
