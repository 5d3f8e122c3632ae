"""What becomes of results that have left when their images turn out to be another patient's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.catalog import Delivery, DeliveryState, Result, StackState
from dicom_node.conflicts import UnknownVersionError, find_conflicts, find_misfiled, keep, settle
from dicom_node.status import CorrectedStackError, retry_deliveries, send_round_again
from dicom_node.verify import verify
from dicom_node.work.retention import Retention
from tests.deliver.pacs import archive
from tests.work.house import House
from tests.work.moving_pacs import MovingPacs
from tests.work.sending import NAMED, SCANNER, STRANGER, arrive
from tests.work.test_versions import (
    CONFIG,
    CURRENT,
    GEOMETRY,
    HEADER,
    HELD,
    MOVED,
    OTHER_PATIENT,
    PIXELS,
    changed,
    facts,
    image,
    rebuilt_from,
)

REJECTED = "113037"


@pytest.fixture
def pacs() -> Iterator[MovingPacs]:
    pacs = MovingPacs()
    with archive(pacs):
        yield pacs


def house_with(folder: Path, pacs: MovingPacs, peer: str = "") -> House:
    text = CONFIG.format(port=f"{pacs.port}\n{peer}").replace('"SMALLPACS"', '"PACS"')
    return House(folder, text)


def delivered(folder: Path, pacs: MovingPacs, peer: str = "", sender: tuple[str, str] = SCANNER) -> tuple[House, str]:
    """Return a house whose one result is at the peer, and the result's UID."""
    house = house_with(folder, pacs, peer)
    arrive(house, image(), sender=sender)
    house.settle_until(StackState.DELIVERED)
    (result,) = house.rows(Result)
    return house, result.uid


def removed(folder: Path, pacs: MovingPacs) -> tuple[House, str]:
    """Return a house that has removed its one image, whose result is at the peer, and the result's UID."""
    house, uid = delivered(folder, pacs)
    assert Retention(house.config, house.catalog).tidy() == 1
    return house, uid


def state_of(house: House, uid: str) -> tuple[DeliveryState, str]:
    (row,) = (row for row in house.rows(Delivery) if row.result_uid == uid)
    return row.state, row.reason


def notes(pacs: MovingPacs) -> list[tuple[str, str, str, list[str]]]:
    """Return of each note the title's code, patient and study, and what it rejects."""
    found = [one for one in pacs.objects().values() if one.Modality == "KO"]
    return [
        (
            one.ConceptNameCodeSequence[0].CodeValue,
            one.PatientID,
            one.StudyInstanceUID,
            [
                str(item.ReferencedSOPInstanceUID)
                for study in one.CurrentRequestedProcedureEvidenceSequence
                for series in study.ReferencedSeriesSequence
                for item in series.ReferencedSOPSequence
            ],
        )
        for one in found
    ]


@pytest.mark.parametrize("place", [MOVED, OTHER_PATIENT, {**MOVED, **OTHER_PATIENT}, GEOMETRY])
def test_a_result_that_stands_where_its_images_were_is_rejected_there_and_made_anew(
    tmp_path: Path, pacs: MovingPacs, place: dict[str, str]
) -> None:
    house, old = delivered(tmp_path, pacs)
    patient = str(image().PatientID)
    arrive(house, changed(image(), **place))
    house.settle()
    assert notes(pacs) == [(REJECTED, patient, "1.2.1", [old])]
    assert state_of(house, old)[0] == DeliveryState.WITHDRAWN
    made = [one for uid, one in pacs.objects().items() if uid != old and one.Modality == "SEG"]
    wanted = changed(image(), **place)
    assert [(one.PatientID, one.StudyInstanceUID) for one in made] == [(wanted.PatientID, wanted.StudyInstanceUID)]


def test_what_the_peer_has_moved_along_needs_nothing(tmp_path: Path, pacs: MovingPacs) -> None:
    house, old = delivered(tmp_path, pacs)
    pacs.move("1.2.1", StudyInstanceUID="1.2.9")
    arrive(house, changed(image(), **MOVED))
    house.settle()
    assert notes(pacs) == []
    assert state_of(house, old) == (DeliveryState.MOVED, "moved by the peer: moved to study 1.2.9 by pacs")


def test_without_notes_or_an_answer_a_person_settles_it_and_nothing_is_sent(tmp_path: Path, pacs: MovingPacs) -> None:
    house, old = delivered(tmp_path, pacs, "rejection_notes = false")
    arrive(house, changed(image(), **MOVED))
    house.settle()
    state, reason = state_of(house, old)
    assert (notes(pacs), state) == ([], DeliveryState.MISFILED)
    assert reason.endswith("it still stands where it was sent, and the peer takes no rejection note")
    assert [one.result_uid for one in find_misfiled(house.catalog)] == [old]
    settle(house.catalog, old)
    assert find_misfiled(house.catalog) == []


@pytest.mark.parametrize("place", [MOVED, OTHER_PATIENT, GEOMETRY])
def test_a_result_whose_images_were_removed_is_rejected_where_it_stands_when_they_are_corrected(
    tmp_path: Path, pacs: MovingPacs, place: dict[str, str]
) -> None:
    house, old = removed(tmp_path, pacs)
    arrive(house, changed(image(), **place))
    house.settle()
    assert notes(pacs) == [(REJECTED, str(image().PatientID), "1.2.1", [old])]
    assert state_of(house, old)[0] == DeliveryState.WITHDRAWN


def test_a_stranger_corrects_no_removed_image(tmp_path: Path, pacs: MovingPacs) -> None:
    house, old = removed(tmp_path, pacs)
    arrive(house, changed(image(), **OTHER_PATIENT), sender=STRANGER)
    house.settle()
    assert (notes(pacs), state_of(house, old)[0]) == ([], DeliveryState.STORED)
    (conflict,) = find_conflicts(house.config, house.catalog)
    assert [(one.state, one.removed_at > 0) for one in conflict.versions] == [(CURRENT, True), (HELD, False)]
    with pytest.raises(UnknownVersionError, match="was removed for age or space"):
        keep(house.config, house.catalog, conflict.versions[0].sha256)


def test_what_was_removed_is_known_again_from_the_disk(tmp_path: Path, pacs: MovingPacs) -> None:
    house, _ = removed(tmp_path, pacs)
    before = facts(house)
    house = rebuilt_from(house, lambda: house_with(tmp_path, pacs))
    assert facts(house) == before
    arrive(house, image(), sender=SCANNER)
    assert [one.problem for one in verify(house.config, house.catalog, quick=False)] == [""]
    assert house.settle() == []


def test_what_the_peer_does_not_find_is_an_alert(tmp_path: Path, pacs: MovingPacs) -> None:
    house, old = delivered(tmp_path, pacs)
    del pacs.received[old]
    arrive(house, changed(image(), **MOVED))
    house.settle()
    assert notes(pacs) == []
    assert state_of(house, old)[0] == DeliveryState.MISFILED


def test_what_a_stranger_sent_first_is_withdrawn_when_a_named_caller_sends(tmp_path: Path, pacs: MovingPacs) -> None:
    house, old = delivered(tmp_path, pacs, sender=STRANGER)
    arrive(house, changed(image(), **PIXELS), sender=NAMED)
    house.settle()
    assert [rejected for *_, rejected in notes(pacs)] == [[old]]


def test_a_header_update_of_the_same_patient_withdraws_nothing(tmp_path: Path, pacs: MovingPacs) -> None:
    house, old = delivered(tmp_path, pacs)
    arrive(house, changed(image(), **HEADER))
    house.settle()
    assert (notes(pacs), state_of(house, old)[0]) == ([], DeliveryState.STORED)


def test_nothing_sends_a_corrected_stack_again(tmp_path: Path, pacs: MovingPacs) -> None:
    house = house_with(tmp_path, pacs, "retry_s = 1000")
    arrive(house, image(), sender=SCANNER)
    pacs.status = lambda _number: 0xA700
    house.settle_until(StackState.DELIVERING)
    (stack,) = house.stacks()
    arrive(house, changed(image(), **MOVED))
    assert retry_deliveries(house.catalog) == 0
    with pytest.raises(CorrectedStackError, match=r"moved to study 1\.2\.9 by pacs"):
        send_round_again(house.catalog, stack.id, {}, force=True)
