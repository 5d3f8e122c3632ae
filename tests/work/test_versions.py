"""Which version of a SOP Instance counts: by what differs, where it went, and who sent it."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import FileDataset, dcmread
from pydicom.uid import RLELossless

from dicom_node.catalog import Delivery, DeliveryState, Instance, Result, Series, Stack, StackState, VersionState
from dicom_node.conflicts import find_conflicts, keep
from dicom_node.demo.pacs import SmallPacs
from dicom_node.status import read_status
from dicom_node.verify import verify
from dicom_node.work.answering import Answering
from dicom_node.work.retention import Retention
from tests.receive.node import received
from tests.support.dicom import ct_slice, radiograph
from tests.work.house import House
from tests.work.sending import NAMED, PACS, SCANNER, STRANGER, arrive, register

CONFIG = """
[storage]
max_study_age_days = 100000
min_free_gb = 0
keep_days = 0
series_quiet_s = 0.001
regeneration_s = 0.001
[peers.pacs]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {port}
[callers.pacs]
ae_title = "PACS"
addresses = "10.0.0.2"
corrects = true
[callers.named]
ae_title = "NAMED"
addresses = "10.0.0.3"
[pipelines.lung]
outputs = ["SEG"]
[[routes]]
name = "lungs"
run = ["lung"]
send_to = ["pacs"]
when = {{ Modality = ["CR", "CT"] }}
"""
FORGED = "PACS", "10.0.0.9"  # the corrector's AE title from another address
STUDY, SERIES = "1.2.1", "1.2.1.1"
HEADER = {"AccessionNumber": "A2"}
MOVED = {"StudyInstanceUID": "1.2.9"}
OTHER_SERIES = {"SeriesInstanceUID": "1.2.1.9"}
OTHER_PATIENT = {"PatientID": "SYN-4712"}
GEOMETRY = {"ImagerPixelSpacing": [0.5, 0.5]}
PIXELS = {"PixelData": bytes(32 * 32 * 2)}
CURRENT, SUPERSEDED = VersionState.CURRENT, VersionState.SUPERSEDED
HELD, REJECTED = VersionState.HELD, VersionState.REJECTED


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[SmallPacs]:
    with SmallPacs(tmp_path / "pacs") as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, pacs: SmallPacs) -> House:
    return House(tmp_path, CONFIG.format(port=pacs.port))


def image() -> FileDataset:
    return changed(radiograph(STUDY, SERIES), SOPInstanceUID="1.2.1.1.1")


def changed(one: FileDataset, **values: object) -> FileDataset:
    again = copy.deepcopy(one)
    for keyword, value in values.items():
        setattr(again, keyword, value)
    again.file_meta.MediaStorageSOPInstanceUID = again.SOPInstanceUID
    return again


def recompressed(one: FileDataset) -> FileDataset:
    again = copy.deepcopy(one)
    again.compress(RLELossless, generate_instance_uid=False)
    return again


def states(house: House) -> list[VersionState]:
    """Return what each version counts for, in the order of their coming."""
    return [row.state for row in sorted(house.rows(Instance), key=lambda row: row.at)]


def facts(house: House) -> list[tuple[object, ...]]:
    rows = sorted(house.rows(Instance), key=lambda row: row.path)
    return [(row.path, row.state, row.reason, row.correction, row.caller, row.address, row.patient) for row in rows]


def rebuilt(house: House, folder: Path, pacs: SmallPacs) -> House:
    """Return the house after its catalog was lost and made again from the disk."""
    return rebuilt_from(house, lambda: House(folder, CONFIG.format(port=pacs.port)))


def rebuilt_from(house: House, make: Callable[[], House]) -> House:
    """Return a house made anew on the folder of another whose catalog was lost."""
    house.catalog.close()
    for path in house.config.storage_folder.glob("catalog.sqlite*"):
        path.unlink()
    again = make()
    register(again)
    return again


@pytest.mark.parametrize("place", [{}, MOVED, OTHER_SERIES, OTHER_PATIENT], ids=["same", "study", "series", "patient"])
@pytest.mark.parametrize(
    ("change", "first", "second", "expected"),
    [
        ({}, SCANNER, SCANNER, [SUPERSEDED, CURRENT]),
        (HEADER, SCANNER, SCANNER, [SUPERSEDED, CURRENT]),
        (HEADER, SCANNER, PACS, [SUPERSEDED, CURRENT]),
        (HEADER, SCANNER, STRANGER, [CURRENT, HELD]),
        (HEADER, SCANNER, ("SCANNER", "10.0.0.9"), [CURRENT, HELD]),
        (HEADER, SCANNER, FORGED, [CURRENT, HELD]),
        (HEADER, NAMED, SCANNER, [CURRENT, HELD]),
        (HEADER, STRANGER, NAMED, [HELD, CURRENT]),
        (GEOMETRY, SCANNER, PACS, [SUPERSEDED, CURRENT]),
        (GEOMETRY, NAMED, STRANGER, [CURRENT, HELD]),
        (PIXELS, NAMED, PACS, [CURRENT, HELD]),
        (PIXELS, SCANNER, SCANNER, [CURRENT, HELD]),
        (PIXELS, STRANGER, NAMED, [HELD, CURRENT]),
    ],
)
def test_what_differs_and_who_sends_decide_which_version_counts(
    house: House,
    tmp_path: Path,
    pacs: SmallPacs,
    place: dict[str, object],
    change: dict[str, object],
    first: tuple[str, str],
    second: tuple[str, str],
    expected: list[VersionState],
) -> None:
    if not (place or change):
        pytest.skip("the same data set is no version of its own")
    arrive(house, image(), sender=first)
    arrive(house, changed(image(), **place, **change), sender=second)
    assert states(house) == expected
    before = facts(house)
    house = rebuilt(house, tmp_path, pacs)
    assert facts(house) == before
    assert [one.problem for one in verify(house.config, house.catalog, quick=False)] == ["", ""]


@pytest.mark.parametrize("sender", [SCANNER, PACS, STRANGER, NAMED])
def test_the_same_data_set_again_is_nothing_and_recompressed_never_counts_twice(
    house: House, sender: tuple[str, str]
) -> None:
    arrive(house, image(), sender=NAMED)
    arrive(house, image(), sender=sender)
    assert states(house) == [CURRENT]
    arrive(house, recompressed(image()), sender=sender)
    expected = [SUPERSEDED]
    assert [row.state for row in house.rows(Instance) if row.transfer_syntax_uid == RLELossless] == expected
    assert [row.arrived for row in house.rows(Series)] == [1]


def test_pixels_are_compared_as_they_are_decoded(house: House) -> None:
    arrive(house, image(), sender=SCANNER)
    arrive(house, changed(recompressed(image()), **MOVED), sender=PACS)
    assert states(house) == [SUPERSEDED, CURRENT]


def test_a_stranger_who_sends_first_owns_no_uid(house: House) -> None:
    arrive(house, image(), sender=STRANGER)
    arrive(house, image(), sender=NAMED)
    arrive(house, changed(image(), **HEADER), sender=STRANGER)
    assert states(house) == [CURRENT, HELD]
    assert house.rows(Instance)[0].caller == "NAMED"


@pytest.mark.parametrize("corrector", [PACS, SCANNER])
@pytest.mark.parametrize("correction", [MOVED, HEADER, GEOMETRY], ids=["study", "header", "geometry"])
def test_what_was_received_before_its_correction_is_superseded_in_whatever_order_it_is_registered(
    house: House, tmp_path: Path, pacs: SmallPacs, corrector: tuple[str, str], correction: dict[str, object]
) -> None:
    arrive(house, changed(image(), **correction), sender=corrector)
    (newer,) = house.rows(Instance)
    incoming = house.config.storage_folder / "incoming"
    received(incoming / "late.dcm", image(), calling=SCANNER[0], address=SCANNER[1])
    os.utime(incoming / "late.dcm", (time.time() - 60, time.time() - 60))
    register(house)
    late, current = sorted(house.rows(Instance), key=lambda row: row.path == newer.path)
    assert (late.state, current.state) == (SUPERSEDED, CURRENT)
    before = facts(house)
    assert facts(rebuilt(house, tmp_path, pacs)) == before


def test_a_study_moved_there_and_back_ends_where_the_corrector_has_it(house: House) -> None:
    arrive(house, image(), sender=SCANNER)
    arrive(house, changed(image(), **MOVED))
    arrive(house, image(), sender=SCANNER)  # a late retry of the scanner moves nothing
    assert states(house) == [SUPERSEDED, CURRENT]
    arrive(house, image())
    assert states(house) == [CURRENT, SUPERSEDED]
    assert sorted(row.correction for row in house.rows(Instance)) == [1, 2]


def test_a_partial_move_changes_both_series_and_both_run_anew(house: House) -> None:
    slices = [ct_slice(STUDY, SERIES, number) for number in range(1, 5)]
    arrive(house, *slices, sender=SCANNER)
    house.settle_until(StackState.DELIVERED)
    arrive(house, *(changed(one, **MOVED) for one in slices[:2]))
    house.settle()
    ends = {(len(stack.content["frames"]), stack.study_uid): stack for stack in house.stacks()}
    assert {place: stack.state for place, stack in ends.items()} == {
        (4, STUDY): StackState.NOTHING,
        (2, STUDY): StackState.DELIVERED,
        (2, "1.2.9"): StackState.DELIVERED,
    }
    assert ends[4, STUDY].reason == "nothing to run, because moved to study 1.2.9 by pacs"


def test_a_header_corrected_before_its_series_was_registered_keeps_it_from_nothing(house: House) -> None:
    arrive(house, image(), changed(image(), **HEADER), sender=SCANNER)
    house.settle_until(StackState.DELIVERED)
    assert [(row.arrived, row.gone) for row in house.rows(Series)] == [(1, 0)]


def test_images_of_two_patients_in_one_series_are_stacks_of_their_own(house: House) -> None:
    slices = [ct_slice(STUDY, SERIES, number) for number in range(1, 5)]
    arrive(house, *slices, sender=SCANNER)
    arrive(house, *(changed(one, **OTHER_PATIENT) for one in slices[:2]))
    stacks = house.settle_until(StackState.DELIVERED)
    assert [len(stack.content["frames"]) for stack in stacks] == [2, 2]
    made = [dcmread(house.config.storage_folder / row.path) for row in house.rows(Result)]
    assert {one.PatientID for one in made} == {"SYN-4711", "SYN-4712"}


def test_retention_removes_no_held_version(house: House) -> None:
    arrive(house, image(), sender=SCANNER)
    arrive(house, changed(image(), **PIXELS), sender=SCANNER)
    house.settle_until(StackState.DELIVERED)
    Retention(house.config, house.catalog).tidy()
    assert [row.state for row in house.rows(Instance) if not row.removed_at] == [HELD]


def test_at_a_move_unsent_results_stop_and_the_moved_images_make_others(house: House, pacs: SmallPacs) -> None:
    arrive(house, image(), sender=SCANNER)
    pacs.__exit__(None, None, None)
    house.settle_until(StackState.DELIVERING)
    arrive(house, changed(image(), **MOVED, **OTHER_PATIENT))
    (waiting,) = house.rows(Delivery)
    assert (waiting.state, waiting.reason) == (DeliveryState.STOPPED, "not sent: moved to study 1.2.9 by pacs")
    pacs.__enter__()
    house.settle(ticks=3)
    first, second = sorted(house.rows(Result), key=lambda row: row.at)
    made = dcmread(house.config.storage_folder / second.path)
    assert (made.PatientID, made.StudyInstanceUID) == ("SYN-4712", "1.2.9")
    assert first.uid != second.uid


def test_a_held_version_waits_for_a_person_and_is_settled_by_one(house: House, tmp_path: Path, pacs: SmallPacs) -> None:
    arrive(house, image(), sender=SCANNER)
    house.settle_until(StackState.DELIVERED)
    arrive(house, changed(image(), **PIXELS), sender=SCANNER)
    (conflict,) = find_conflicts(house.config, house.catalog)
    held = next(one for one in conflict.versions if one.state == HELD)
    current = next(one for one in conflict.versions if one.state == CURRENT)
    expected = f"SCANNER sent other pixels; version {current.sha256[:12]} of SCANNER is current"
    assert (held.reason, read_status(house.catalog).versions) == (expected, {"held": 1})
    keep(house.config, house.catalog, held.sha256[:8])
    register(house)
    assert states(house) == [SUPERSEDED, CURRENT]
    house.settle()
    assert sorted(stack.state for stack in house.rows(Stack)) == [StackState.DELIVERED, StackState.NOTHING]
    before = facts(house)
    assert facts(rebuilt(house, tmp_path, pacs)) == before


def test_commitment_is_answered_by_what_counts_and_is_whole(house: House) -> None:
    answering = Answering(house.config, house.catalog)
    sop_class, uid = str(image().SOPClassUID), str(image().SOPInstanceUID)

    def reason(asked_class: str = sop_class) -> int:
        with house.catalog.read() as session:
            return answering.reason(session, uid, asked_class)

    assert reason() == 0x0112
    arrive(house, image(), sender=SCANNER)
    assert (reason(), reason("1.2.840.10008.5.1.4.1.1.2")) == (0, 0x0119)
    path = house.config.storage_folder / house.rows(Instance)[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-2] + b"ab")
    assert reason() == 0x0110
    path.unlink()
    assert reason() == 0x0112
    path.write_bytes(whole)
    arrive(house, changed(image(), **PIXELS), sender=SCANNER)
    assert reason() == 0x0110


def test_what_was_damaged_behind_its_answer_ends_refused_with_its_reason_and_is_checked_by_verify(house: House) -> None:
    incoming = house.config.storage_folder / "incoming"
    incoming.mkdir()
    (incoming / "aa.dcm").write_bytes(b"no DICOM at all")
    register(house)
    (row,) = house.rows(Instance)
    (stack,) = house.settle_until(StackState.REFUSED)
    expected = f"1 objects cannot be read: {row.uid}: cannot be read: no File Meta Information"
    assert (stack.study_uid, stack.reason) == (row.study_uid, expected)
    assert [checked.problem for checked in verify(house.config, house.catalog, quick=False)] == [""]
    (house.config.storage_folder / row.path).write_bytes(b"other bytes now")
    assert [checked.problem for checked in verify(house.config, house.catalog, quick=False)] == [
        "holds other bytes than it did"
    ]
