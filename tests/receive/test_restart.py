from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pydicom import FileDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import text

from dicom_node.catalog import Event, Instance, OpenAssociation, Series, Study, VersionState
from tests.receive.node import Site, eventually, received, running
from tests.receive.wire import COMMAND_LAST, DATA_SET_LAST, data, open_wire
from tests.support.dicom import data_set_bytes, encoded, series
from tests.support.malformed import store_command

CT = [(CTImageStorage, ExplicitVRLittleEndian)]


def test_objects_that_wait_without_a_row_are_registered_at_the_next_start(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "aa.dcm").write_bytes(encoded(series(1)[0]))
    with running(tmp_path) as site:
        site.registered(1)
        assert list(incoming.iterdir()) == []


def test_what_a_power_failure_left_is_kept_where_it_is_whole_and_dropped_where_it_was_cut(tmp_path: Path) -> None:
    left = tmp_path / "ready" / "aa"
    taken, untaken = left / "used-3", left / "filled-65536-7"  # the renaming of a batch may be lost as well
    for folder in (taken, untaken):
        folder.mkdir(parents=True)
    left.with_suffix(".mark").touch()
    one, other, third, cut, torn, unsealed = series(6)
    torn.PixelData = torn.PixelData[:-2] + b"\1\1"
    whole, longer = received(left / "0", one), received(taken / "1", other)
    _append(taken / "1", bytes(5000))  # a file that was made ahead, and is longer than its object
    untaken_whole = received(untaken / "7", third)
    (untaken / "8").write_bytes(bytes(65536))
    (left / "2").write_bytes(received(left / "2", cut)[:-1])
    (left / "3").write_bytes(received(left / "3", torn)[:-2] + bytes(2))  # its last block was not written
    received(left / "4", unsealed, is_sealed=False)
    (left / "5").touch()
    (left / "6").write_bytes(bytes(65536))
    with running(tmp_path) as site:
        rows = site.registered(3)
        assert {(site.folder / row.path).read_bytes() for row in rows} == {whole, longer, untaken_whole}
        assert not left.exists()
        assert list((tmp_path / "ready").iterdir()) == []
        assert not (tmp_path / "unreadable").exists()


def test_what_was_made_ahead_and_not_used_is_no_loss_to_report(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left = tmp_path / "ready" / "aa"
    left.mkdir(parents=True)
    left.with_suffix(".mark").touch()
    (left / "1").write_bytes(bytes(65536))
    received(left / "2", series(1)[0], is_sealed=False)
    with running(tmp_path):
        eventually(lambda: not left.exists())
    losses = [record.getMessage() for record in caplog.records if "cut off" in record.getMessage()]
    assert losses == ["an object was cut off before it was answered; dropped"]


def test_an_object_shorter_than_its_file_is_trimmed_before_it_has_a_row(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    whole = received(incoming / "aa.dcm", series(1)[0])
    _append(incoming / "aa.dcm", bytes(5000))
    os.utime(incoming / "aa.dcm", (1e9, 1e9))
    with running(tmp_path) as site:
        (row,) = site.registered(1)
        assert row.at == 1e9
        assert (row.size, (site.folder / row.path).read_bytes()) == (len(whole), whole)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.mark.parametrize("place", ["incoming", "unreadable"])
def test_an_object_that_cannot_be_read_any_more_has_a_row_with_its_reason(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir()
    (tmp_path / place / "aa.dcm").write_bytes(b"no DICOM at all")
    with running(tmp_path) as site:
        (row,) = site.registered(1)
        assert (tmp_path / row.path).read_bytes() == b"no DICOM at all"
        assert (row.state, row.reason) == (VersionState.CURRENT, "cannot be read: no File Meta Information")
        assert [event.text for event in site.rows(Event)] == [f"version {row.sha256[:12]} is current: {row.reason}"]
    with running(tmp_path) as site:
        assert site.count(Instance) == 1


def test_what_was_damaged_before_it_had_a_row_is_replaced_when_it_comes_again(tmp_path: Path) -> None:
    dataset = series(1)[0]
    (tmp_path / "incoming").mkdir()
    whole = received(tmp_path / "incoming" / "aa.dcm", dataset)
    at = whole.index(dataset.StudyInstanceUID.encode())
    (tmp_path / "incoming" / "aa.dcm").write_bytes(whole[: at - 8] + b"\xff" * 64 + whole[at + 56 :])
    with running(tmp_path) as site:
        (damaged,) = site.registered(1)
        assert damaged.uid == dataset.SOPInstanceUID
        assert site.store([dataset]) == [0]
        states = {row.study_uid: row.state for row in site.registered(2)}
    assert states == {
        damaged.study_uid: VersionState.SUPERSEDED,
        dataset.StudyInstanceUID: VersionState.CURRENT,
    }


def test_a_lost_catalog_is_rebuilt_with_who_sent_what(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        site.store(series(3), calling="CT1")
        site.store(series(2), calling="MR1")
        before = {row.uid: _facts(row) for row in site.registered(5)}
    for path in tmp_path.glob("catalog.sqlite*"):
        path.unlink()
    with running(tmp_path) as site:
        assert {row.uid: _facts(row) for row in site.registered(5)} == before
        assert sorted(row.arrived for row in site.rows(Series)) == [2, 3]
        assert site.count(Study) == 2


def _facts(row: Instance) -> tuple[object, ...]:
    return row.series_uid, row.path, row.size, row.sha256, row.caller, row.transfer_syntax_uid, row.at


def test_a_start_without_news_changes_no_row(tmp_path: Path) -> None:
    with running(tmp_path) as site:
        site.store(series(3))
        site.registered(3)
        eventually(lambda: site.count(OpenAssociation) == 0)
        before = [(row.last_at, row.arrived) for row in site.rows(Series)]
    with running(tmp_path) as site:
        site.store(series(1))
        site.registered(4)
        assert [(row.last_at, row.arrived) for row in site.rows(Series) if row.arrived == 3] == before


def test_other_pixels_under_the_same_uid_are_held_and_reported_once(site: Site) -> None:
    first, other = series(2)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    assert site.store([first, other, other]) == [0, 0, 0]
    site.store(series(1))  # behind them in the queue
    rows = {row.state: row for row in site.registered(3) if row.uid == first.SOPInstanceUID}
    assert (site.folder / rows[VersionState.CURRENT].path).read_bytes().endswith(first.PixelData)
    assert (site.folder / rows[VersionState.HELD].path).read_bytes().endswith(other.PixelData)
    (event,) = site.rows(Event)
    assert event.subject == first.SOPInstanceUID


def test_a_file_that_somebody_deleted_is_replaced_when_it_comes_again(site: Site) -> None:
    dataset = series(1)[0]
    site.store([dataset])
    path = site.folder / site.registered(1)[0].path
    path.unlink()
    site.store([dataset])
    eventually(path.exists)
    assert [row.arrived for row in site.rows(Series)] == [1]


def test_a_study_has_its_open_association_until_it_is_released(site: Site) -> None:
    datasets = series(2)
    with site.association(CT) as association:
        for dataset in datasets:
            association.send_c_store(dataset)
        eventually(lambda: [row.study_uid for row in site.rows(OpenAssociation)] == [datasets[0].StudyInstanceUID])
    eventually(lambda: site.count(OpenAssociation) == 0)
    assert site.count(Instance) == 2


def test_an_aborted_association_leaves_no_open_row(site: Site) -> None:
    with site.association(CT) as association:
        association.send_c_store(series(1)[0])
        eventually(lambda: site.count(OpenAssociation) == 1)
        association.abort()
    eventually(lambda: site.count(OpenAssociation) == 0)


def test_open_rows_of_a_receiver_that_died_are_forgotten_and_others_kept(tmp_path: Path) -> None:
    with running(tmp_path) as site, site.catalog.write() as session:
        session.add(OpenAssociation(id="receiver.dead", study_uid="1.2.3"))
        session.add(OpenAssociation(id="another.alive", study_uid="1.2.3"))
    with running(tmp_path) as site:
        eventually(lambda: [row.id for row in site.rows(OpenAssociation)] == ["another.alive"])


def test_a_locked_catalog_delays_rows_but_not_answers(site: Site) -> None:
    with site.catalog.engine.connect() as connection:
        connection.execute(text("SELECT 1"))  # begins immediately, so holds the write lock
        assert site.store(series(5)) == [0] * 5
        assert site.count(Instance) == 0
    site.registered(5)


NODE = """
import sys, threading
from pathlib import Path
from dicom_node.catalog import Catalog
from dicom_node.receive.receiver import Receiver
from dicom_node.receive.registrar import Registrar
from tests.receive.node import configure
config = configure(Path(sys.argv[1]))
catalog = Catalog(config.catalog_url)
catalog.migrate()
receiver, registrar = Receiver(config), Registrar(config, catalog)
receiver.start()
registrar.start()
print(receiver.port, flush=True)
threading.Event().wait()
"""


@contextmanager
def node_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", NODE, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=root) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_no_acknowledged_object_is_lost_when_the_receiver_is_killed(tmp_path: Path, start: Callable[..., Site]) -> None:
    with node_process(tmp_path) as (process, port):
        acknowledged = _send_until_cut(port, series(200), process)
    assert 60 <= len(acknowledged) < 200
    site = start()
    eventually(lambda: set(acknowledged) <= {row.uid for row in site.rows(Instance)})
    assert [row.arrived for row in site.rows(Series)] == [site.count(Instance)]
    assert all((site.folder / row.path).stat().st_size == row.size for row in site.rows(Instance))


def _send_until_cut(port: int, datasets: list[FileDataset], process: subprocess.Popen[str]) -> list[str]:
    """Kill the receiver with the 61st object under way; return what was acknowledged before the connection ended."""
    acknowledged: list[str] = []
    with suppress(AssertionError, OSError), open_wire(port) as wire:  # the wire asserts that somebody is there
        for number, dataset in enumerate(datasets):
            uid = str(dataset.SOPInstanceUID)
            body = data(data_set_bytes(encoded(dataset)), DATA_SET_LAST)
            wire.send(data(store_command(CTImageStorage, uid), COMMAND_LAST), body)
            if number == 60:
                process.send_signal(signal.SIGKILL)
            if wire.status() == 0:
                acknowledged.append(uid)
    return acknowledged
