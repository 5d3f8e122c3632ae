"""Versions are compared within bounds by a process of their own, and nobody else's rows wait for it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames

from dicom_node.catalog import Event, Instance, OpenAssociation, VersionState
from tests.faults.hostile.pixel_bombs import tiled_jpeg_2000
from tests.receive.node import Site, eventually, received, running
from tests.support.dicom import radiograph, series

_SIDE = 8192  # pixels; a minute of decoding, where none of it is limited
_SLOWLY_S = 60.0  # in which a process of its own starts, twice, on a machine that has other things to do


def _other_stream(dataset: Dataset) -> Dataset:
    """Return the same picture in another JPEG 2000 stream, which only who decodes both knows."""
    again = copy.deepcopy(dataset)
    again.PixelData = encapsulate([next(generate_frames(dataset.PixelData, number_of_frames=1)) + bytes(2)])
    again["PixelData"].VR = "OB"
    return again


def _states(site: Site, uid: str) -> list[tuple[VersionState, str]]:
    rows = sorted((row for row in site.rows(Instance) if row.uid == uid), key=lambda row: row.at)
    return [(row.state, row.reason) for row in rows]


def test_others_rows_go_on_while_a_costly_version_is_compared_and_it_ends_held(tmp_path: Path) -> None:
    costly = tiled_jpeg_2000(_SIDE)
    with running(tmp_path, decode_timeout_s=0.5) as site:
        site.store([costly])
        site.registered(1)
        site.store([_other_stream(costly)])
        site.store(series(3), calling="OTHER")
        site.registered(4)
        eventually(lambda: site.count(Instance) == 5, _SLOWLY_S)
        (_, (state, reason)) = _states(site, costly.SOPInstanceUID)
    assert state == VersionState.HELD
    assert "what could not be compared within the limits of memory and time, twice" in reason


def test_versions_are_settled_in_the_order_in_which_they_came_though_the_registrar_ends_in_between(
    tmp_path: Path,
) -> None:
    first = radiograph("1.2.1", "1.2.1.1")
    second, third = copy.deepcopy(first), copy.deepcopy(first)
    second.AccessionNumber, third.AccessionNumber = "A2", "A3"
    with running(tmp_path) as site:
        site.store([first])
        site.registered(1)
        site.store([second, third])
    with running(tmp_path) as site:
        eventually(lambda: site.count(Instance) == 3, _SLOWLY_S)
        expected = [VersionState.SUPERSEDED, VersionState.SUPERSEDED, VersionState.CURRENT]
        assert [state for state, _ in _states(site, first.SOPInstanceUID)] == expected


@pytest.mark.parametrize("part", ["comparing", "incoming"])
def test_a_version_that_waits_without_a_row_is_settled_at_the_next_start(tmp_path: Path, part: str) -> None:
    first, other = series(2)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    with running(tmp_path) as site:
        site.store([first])
        site.registered(1)
    (tmp_path / part).mkdir(exist_ok=True)
    received(tmp_path / part / "aa.dcm", other, calling="OTHER")
    with running(tmp_path) as site:
        eventually(lambda: site.count(Instance) == 2, _SLOWLY_S)
        assert [state for state, _ in _states(site, first.SOPInstanceUID)] == [VersionState.CURRENT, VersionState.HELD]


def test_what_has_a_place_stays_current_where_the_catalog_is_lost_while_another_version_is_compared(
    tmp_path: Path,
) -> None:
    first, other = series(2)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    with running(tmp_path) as site:
        site.store([first])
        (kept,) = site.registered(1)
    for path in tmp_path.glob("catalog.sqlite*"):
        path.unlink()
    (tmp_path / "comparing").mkdir()
    received(tmp_path / "comparing" / "aa.dcm", other, calling="OTHER")
    with running(tmp_path) as site:
        eventually(lambda: site.count(Instance) == 2, _SLOWLY_S)
        assert {row.path: row.state for row in site.rows(Instance)}[kept.path] == VersionState.CURRENT


@pytest.mark.parametrize("part", ["comparing", "incoming", "storage/1.2.7/1.2.7.1"])
def test_a_file_that_cannot_be_read_holds_up_no_other_and_is_named(tmp_path: Path, part: str) -> None:
    unreadable = tmp_path / part / "0a.loop-1.dcm"
    unreadable.mkdir(parents=True)  # a folder instead of a file: reading it is an error of this file alone
    with running(tmp_path) as site:
        site.store(series(2))
        site.registered(2)
        (event,) = [row for row in site.rows(Event) if row.subject == unreadable.name]
    assert event.text.startswith("was received and cannot be taken up: [Errno 21] Is a directory")


def test_a_file_that_could_not_be_read_is_registered_once_it_can(tmp_path: Path) -> None:
    path = tmp_path / "incoming" / "0a.loop-1.dcm"
    path.mkdir(parents=True)
    with running(tmp_path) as site:
        eventually(lambda: site.count(Event) == 1)
        received(tmp_path / "whole.dcm", radiograph("1.2.1", "1.2.1.1"), calling="OTHER")
        path.rmdir()
        (tmp_path / "whole.dcm").rename(path)
        site.registered(1)


def test_a_damaged_record_of_versions_holds_up_no_other_object_and_is_named(tmp_path: Path) -> None:
    first = radiograph("1.2.1", "1.2.1.1")
    second, third = copy.deepcopy(first), copy.deepcopy(first)
    second.AccessionNumber, third.AccessionNumber = "A2", "A3"
    record = tmp_path / "versions" / f"{first.SOPInstanceUID}.json"
    with running(tmp_path) as site:
        site.store([first, second])
        site.registered(2)
    record.write_text("{")
    with running(tmp_path) as site:
        site.store([third])
        site.store(series(2), calling="OTHER")
        site.registered(4)
        eventually(lambda: any("cannot be taken up" in row.text for row in site.rows(Event)))
        record.unlink()
        eventually(lambda: site.count(Instance) == 5, _SLOWLY_S)
        said = [row.text for row in site.rows(Event) if "cannot be taken up" in row.text]
    assert [
        f"versions/{record.name} is damaged (JSONDecodeError): restore it from a backup" in text for text in said
    ] == [True]


def test_a_study_stays_open_while_one_of_its_objects_is_compared(tmp_path: Path) -> None:
    costly = tiled_jpeg_2000(_SIDE)
    with running(tmp_path, decode_timeout_s=0.5) as site:
        site.store([costly])
        site.registered(1)
        site.store([_other_stream(costly)])
        eventually(lambda: {row.id for row in site.rows(OpenAssociation)} == {"receiver.comparing"})
        assert {row.study_uid for row in site.rows(OpenAssociation)} == {costly.StudyInstanceUID}
        assert site.count(Instance) == 1
        eventually(lambda: site.count(Instance) == 2, _SLOWLY_S)
        eventually(lambda: site.count(OpenAssociation) == 0)
