from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)
from pynetdicom import AllStoragePresentationContexts

from dicom_node.catalog import Catalog, Instance, Series
from dicom_node.receive.early import BEGIN_AT
from dicom_node.receive.receiver import Receiver
from tests.receive.node import Site, altered, configure, eventually, received
from tests.support.dicom import ct_slice, data_set_bytes, encoded, radiograph, series

ZOO = Path(__file__).parents[3] / "shared" / "data" / "dicom_zoo"
NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian]
STANDARD = {context.abstract_syntax for context in AllStoragePresentationContexts}
_PUSH_OVER_S = 2.0
ENCAPSULATED = [JPEGBaseline8Bit, JPEG2000Lossless, JPEGLSLossless, RLELossless, MPEG2MPML]


def test_an_object_that_was_answered_with_success_is_on_disk_and_in_the_catalog(site: Site) -> None:
    dataset = series(1)[0]
    assert site.store([dataset], calling="CT1") == [0x0000]
    row = site.registered(1)[0]
    assert row.uid == dataset.SOPInstanceUID
    name = f"{dataset.SOPInstanceUID}-{row.sha256[:12]}.dcm"
    assert row.path == f"storage/{dataset.StudyInstanceUID}/{dataset.SeriesInstanceUID}/{name}"
    assert (site.folder / row.path).stat().st_size == row.size
    assert row.caller == "CT1"
    assert list((site.folder / "incoming").iterdir()) == []


def test_a_series_counts_its_instances(site: Site) -> None:
    site.store(series(5))
    site.registered(5)
    assert [row.arrived for row in site.rows(Series)] == [5]


def test_the_file_says_who_sent_it(site: Site) -> None:
    site.store([radiograph(generate_uid(), generate_uid())], calling="DX7")
    meta = dcmread(site.folder / site.registered(1)[0].path).file_meta
    assert meta.SourceApplicationEntityTitle == "DX7"
    assert meta.SendingApplicationEntityTitle == "DX7"
    assert meta.ReceivingApplicationEntityTitle == "NODE"


def test_data_sets_are_stored_byte_for_byte_whatever_their_transfer_syntax(site: Site) -> None:
    files = {str(syntax): _file_in(syntax) for syntax in (*NATIVE, *ENCAPSULATED)}
    assert [site.store_file(file).Status for file in files.values()] == [0x0000] * len(files)
    stored = {row.transfer_syntax_uid: (site.folder / row.path).read_bytes() for row in site.registered(len(files))}
    assert {syntax: data_set_bytes(file) for syntax, file in stored.items()} == {
        syntax: data_set_bytes(file) for syntax, file in files.items()
    }


def test_a_large_object_that_the_disk_begins_with_while_it_comes_is_stored_byte_for_byte(site: Site) -> None:
    file = encoded(series(1, shape=(2048, 1500))[0])
    assert len(file) > 5 * BEGIN_AT
    assert site.store_file(file).Status == 0x0000
    (row,) = site.registered(1)
    assert data_set_bytes((site.folder / row.path).read_bytes()) == data_set_bytes(file)


def test_a_push_makes_files_of_its_size_ready_for_the_next(site: Site) -> None:
    site.store(series(40))
    eventually(lambda: _ready(site).count(64 << 10) == 64)  # as many as were asked for, in whole batches
    site.store(series(10))
    assert _ready(site).count(64 << 10) == 54  # enough for another 40: what the batches had too many is used first
    site.store(series(40))
    eventually(lambda: _ready(site).count(64 << 10) == 46)


def test_a_receiver_uses_files_that_another_has_filled(site: Site) -> None:
    site.store(series(40))
    eventually(lambda: _ready(site).count(64 << 10) == 64)
    with _another_receiver(site) as other:
        assert other.store(series(40)) == [0x0000] * 40
        assert _ready(site).count(64 << 10) == 24
    site.registered(80)


def test_files_that_a_dead_receiver_had_filled_are_left_to_the_registrar(tmp_path: Path) -> None:
    batch = tmp_path / "ready" / "aa" / "filled-65536-7"
    batch.mkdir(parents=True)
    batch.parent.with_suffix(".mark").touch()
    kept = received(batch / "1", series(1)[0])
    config = configure(tmp_path)
    catalog = Catalog(config.catalog_url)
    with _another_receiver(Site(tmp_path, config, catalog, Receiver(config))) as alone:
        assert alone.store(series(3)) == [0x0000] * 3
        assert (batch / "1").read_bytes() == kept
    catalog.close()


@contextmanager
def _another_receiver(site: Site) -> Iterator[Site]:
    receiver = Receiver(site.config)
    receiver.start()
    try:
        yield replace(site, receiver=receiver)
    finally:
        receiver.stop()


def test_objects_that_differ_from_the_files_made_for_them_are_stored_byte_for_byte(site: Site) -> None:
    site.store(series(2))  # of the first object's size nothing is known
    eventually(lambda: 64 << 10 in _ready(site))
    site.store(series(2, shape=(300, 500)))
    eventually(lambda: 320 << 10 in _ready(site))
    mixed = [one for pair in zip(series(6), series(6, shape=(300, 500)), strict=True) for one in pair]
    assert site.store(mixed) == [0x0000] * 12
    rows = {row.uid: row for row in site.registered(16)}
    for dataset in mixed:
        row = rows[dataset.SOPInstanceUID]
        stored = (site.folder / row.path).read_bytes()
        assert len(stored) == row.size
        assert data_set_bytes(stored) == data_set_bytes(encoded(dataset))


def test_filled_files_keep_to_their_room_and_those_made_last_stay(start: Callable[..., Site]) -> None:
    site = start(ready_mb=12)
    site.store(series(40))
    eventually(lambda: _ready(site).count(64 << 10) == 64)
    site.store(series(2, shape=(300, 500)))
    eventually(lambda: _ready(site).count(320 << 10) == 32)
    assert sum(_ready(site)) <= 12_000_000
    site.store(series(2, shape=(900, 560)))  # a batch for such would take more than all of it
    time.sleep(_PUSH_OVER_S)
    assert _ready(site).count(320 << 10) == 31  # the first was taken to be like those before


def test_no_files_are_filled_where_the_configuration_gives_them_no_room(start: Callable[..., Site]) -> None:
    site = start(ready_mb=0)
    site.store(series(40))
    site.registered(40)
    time.sleep(_PUSH_OVER_S)
    assert set(_ready(site)) == {0}


def _ready(site: Site) -> list[int]:
    """Return the sizes of the files that stand ready."""
    sizes = []
    for place, _, names in os.walk(site.folder / "ready"):
        for name in names:
            with suppress(FileNotFoundError):  # taken meanwhile
                sizes.append(Path(place, name).stat().st_size)
    return sizes


def _file_in(syntax: UID) -> bytes:
    if syntax in NATIVE:
        return encoded(ct_slice(generate_uid(), generate_uid(), transfer_syntax_uid=syntax))
    dataset = ct_slice(generate_uid(), generate_uid())
    dataset["PixelData"].is_undefined_length = True
    # One item of offsets, one fragment, the end (PS3.5 A.4); nobody looks into the fragment.
    dataset.PixelData = bytes.fromhex("feff00e000000000 feff00e008000000 0123456789abcdef feffdde000000000")
    dataset.file_meta.TransferSyntaxUID = syntax
    return encoded(dataset)


@pytest.mark.skipif(not ZOO.is_dir(), reason="the collection of real files is not on this machine")
def test_real_files_are_stored_byte_for_byte(site: Site) -> None:
    sent: dict[str, bytes] = {}
    for path in sorted(ZOO.rglob("*.dcm")):
        dataset = dcmread(path, stop_before_pixels=True)
        is_standard = dataset.file_meta.MediaStorageSOPClassUID == dataset.SOPClassUID in STANDARD
        if path.stat().st_size < 400_000 and dataset.SOPInstanceUID not in sent and is_standard and len(sent) < 15:
            sent[dataset.SOPInstanceUID] = data_set_bytes(path.read_bytes())
            assert site.store_file(path.read_bytes()).Status == 0x0000
    rows = site.registered(len(sent))
    assert {row.uid: data_set_bytes((site.folder / row.path).read_bytes()) for row in rows} == sent


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_an_object_without_valid_uids_is_refused_and_written_nowhere(site: Site, keyword: str) -> None:
    dataset = series(1)[0]
    before = _files(site.folder.parent)
    for value in ("../../../etc/passwd.", "..", "", "1.2.a"):
        file = altered(encoded(dataset), dataset[keyword].value, value.ljust(len(dataset[keyword].value), "\0"))
        _assert_refused(site.store_file(file), keyword)
    assert _files(site.folder.parent) == before


def test_a_command_with_a_path_for_a_uid_is_refused(site: Site) -> None:
    dataset = series(1)[0]
    file = encoded(dataset).replace(
        dataset.SOPInstanceUID.encode(), b"/../../passwd".ljust(len(dataset.SOPInstanceUID), b"0")
    )
    _assert_refused(site.store_file(file), "SOPInstanceUID")


def test_an_object_without_a_study_is_refused(site: Site) -> None:
    dataset = series(1)[0]
    del dataset.StudyInstanceUID
    _assert_refused(site.store_file(encoded(dataset)), "StudyInstanceUID is missing")


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SOPClassUID"])
def test_an_object_that_is_not_what_the_command_says_is_refused(site: Site, keyword: str) -> None:
    dataset = series(1)[0]
    value = dataset[keyword].value
    file = altered(encoded(dataset), value, value[:-1] + ("3" if value.endswith("4") else "4"))
    _assert_refused(site.store_file(file), f"{keyword} differs from the command")


def _assert_refused(status: Dataset, comment: str) -> None:
    assert status.Status == 0xA900
    assert comment in status.ErrorComment
    assert len(status.ErrorComment) <= 64


def _files(folder: Path) -> set[Path]:
    """Return what holds anything."""
    paths = (path for path in folder.rglob("*") if "sqlite" not in path.name)
    return {path for path in paths if path.is_file() and path.stat().st_size}


def test_a_full_disk_is_answered_a700(start: Callable[..., Site]) -> None:
    site = start(min_free_gb=1e9)
    assert site.store(series(1)) == [0xA700]
    assert list((site.folder / "incoming").iterdir()) == []


def test_a_failing_sync_is_answered_a700_and_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr("os.fdatasync", fail)
    assert site.store(series(1)) == [0xA700]
    assert list((site.folder / "incoming").iterdir()) == []


def test_an_error_of_ours_is_never_answered_cxxx(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.receive.storing.peek_identity", lambda *_: 1 / 0)
    assert site.store(series(1)) == [0x0110]


def test_a_data_set_that_is_not_deflated_as_promised_is_refused(site: Site) -> None:
    file = encoded(ct_slice(generate_uid(), generate_uid(), transfer_syntax_uid=DeflatedExplicitVRLittleEndian))
    data_set = data_set_bytes(file)
    assert zlib.decompress(data_set, -zlib.MAX_WBITS)
    assert site.store_file(file[: -len(data_set)] + b"\xff" * 64).Status == 0xC000


def test_the_same_object_twice_is_one_row_counted_once(site: Site) -> None:
    dataset = series(1)[0]
    assert site.store([dataset, dataset]) == [0, 0]
    assert site.store([dataset], calling="ANOTHER") == [0]
    site.store(series(1))  # behind them in the queue
    site.registered(2)
    assert {row.arrived for row in site.rows(Series)} == {1}
    assert {row.caller for row in site.rows(Instance)} == {"SCANNER"}
