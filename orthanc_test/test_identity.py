"""What a real PACS holds of a study that is moved: results where it is now, and notes where the old ones stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.catalog import Delivery, DeliveryState, StackState
from dicom_node.demo.orthanc import Orthanc
from tests.work.house import House
from tests.work.sending import PACS, SCANNER, STRANGER, arrive
from tests.work.test_versions import CONFIG, MOVED, OTHER_PATIENT, PIXELS, changed, image

BOTH = {**MOVED, **OTHER_PATIENT}


def delivered(folder: Path, orthanc: Orthanc) -> tuple[House, str]:
    """Return a house whose one result is at the PACS, and the result's UID."""
    orthanc.add_modality("node", "DICOMNODE", 11112)  # which may ask it where results stand
    house = House(folder, CONFIG.format(port=orthanc.dicom_port).replace('"SMALLPACS"', f'"{orthanc.ae_title}"'))
    arrive(house, image(), sender=SCANNER)
    house.settle_until(StackState.DELIVERED)
    (delivery,) = house.rows(Delivery)
    return house, delivery.result_uid


def state_of(house: House, uid: str) -> DeliveryState:
    return next(DeliveryState(row.state) for row in house.rows(Delivery) if row.result_uid == uid)


def held(orthanc: Orthanc, study_uid: str) -> list[tuple[str, str]]:
    """Return modality and PatientID of everything that the PACS holds of a study."""
    return sorted((one.Modality, one.PatientID) for one in orthanc.objects(study_uid))


@pytest.mark.parametrize("place", [MOVED, BOTH], ids=["study", "patient"])
def test_what_stands_where_it_was_sent_is_rejected_there(
    orthanc: Orthanc, tmp_path: Path, place: dict[str, object]
) -> None:
    house, old = delivered(tmp_path, orthanc)
    patient, moved = str(image().PatientID), changed(image(), **place)
    arrive(house, moved, sender=PACS)
    house.settle()
    assert state_of(house, old) == DeliveryState.WITHDRAWN
    assert held(orthanc, "1.2.1") == [("KO", patient), ("SEG", patient)]
    assert held(orthanc, "1.2.9") == [("SEG", moved.PatientID)]


def test_what_the_pacs_has_moved_along_is_left_alone(orthanc: Orthanc, tmp_path: Path) -> None:
    house, old = delivered(tmp_path, orthanc)
    orthanc.move_study("1.2.1", "1.2.9")
    arrive(house, changed(image(), **MOVED), sender=PACS)
    house.settle()
    assert state_of(house, old) == DeliveryState.MOVED
    assert held(orthanc, "1.2.1") == []
    assert held(orthanc, "1.2.9") == [("SEG", str(image().PatientID))] * 2


@pytest.mark.parametrize("change", [BOTH, PIXELS], ids=["moved", "pixels"])
def test_a_strangers_version_changes_nothing_at_the_pacs(
    orthanc: Orthanc, tmp_path: Path, change: dict[str, object]
) -> None:
    house, old = delivered(tmp_path, orthanc)
    arrive(house, changed(image(), **change), sender=STRANGER)
    house.settle()
    assert state_of(house, old) == DeliveryState.STORED
    assert [held(orthanc, uid) for uid in ("1.2.1", "1.2.9")] == [[("SEG", str(image().PatientID))], []]
