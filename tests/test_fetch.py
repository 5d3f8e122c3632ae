"""A study that is brought from a peer is judged by what came, not by what the peer says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom import AllStoragePresentationContexts

from dicom_node.deliver import find_studies
from dicom_node.fetch import IncompleteStudyError, SeveralPatientsError, fetch, studies_of_one_patient
from tests.deliver.library import Library, library
from tests.deliver.pacs import Pacs, archive
from tests.support.dicom import PATIENT_ID, ct_slice, series
from tests.work.house import House

CONFIG = """
[node]
ae_title = "NODE"
[storage]
min_free_gb = 0
[pipelines.lung]
[peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = 104
"""
CLASSES = [str(context.abstract_syntax) for context in AllStoragePresentationContexts]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, CONFIG)


@pytest.fixture
def destination() -> Iterator[Pacs]:
    with archive(Pacs(status=lambda _number: 0xB007), title="NODE") as pacs:
        yield pacs


def of_classes(classes: list[str]) -> list[Dataset]:
    objects: list[Dataset] = [ct_slice("1.2.3", "1.2.4", number) for number in range(1, len(classes) + 1)]
    for one, sop_class in zip(objects, classes, strict=True):
        one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    return objects


def brought(house: House, pacs: Library, **settings: object) -> None:
    peer = pacs.peer(timeout_s=5.0, **settings)
    (study,) = find_studies(house.config, peer, {"PatientID": PATIENT_ID})
    for _ in fetch(house.config, house.catalog, peer, study):
        pass


def kept(house: House) -> set[str]:
    return {str(dcmread(path).SOPInstanceUID) for path in house.config.storage_folder.glob("incoming/*.dcm")}


@pytest.mark.parametrize("leaves_out", [(), ("SOPClassUID",)])
def test_a_get_brings_every_class_that_the_study_holds(house: House, leaves_out: tuple[str, ...]) -> None:
    objects = of_classes(CLASSES[-40:])
    with library(objects, leaves_out=leaves_out) as pacs:
        brought(house, pacs, fetch="get")
    assert kept(house) == {one.SOPInstanceUID for one in objects}


def test_a_get_of_more_classes_than_an_association_has_room_for_takes_several(house: House) -> None:
    objects = of_classes(CLASSES[:130])
    with library(objects) as pacs:
        brought(house, pacs, fetch="get")
    assert kept(house) == {one.SOPInstanceUID for one in objects}
    assert pacs.associations == 4  # two queries, two retrievals


def test_a_get_that_leaves_objects_out_says_how_many_came(house: House) -> None:
    objects = series(3)
    objects[2].SOPClassUID = "1.2.840.10008.9.9.9"  # of no presentation context that the archive has
    with library(objects) as pacs, pytest.raises(IncompleteStudyError, match=r"has 3 objects .* and 2 of them came"):
        brought(house, pacs, fetch="get")


def test_a_move_with_warnings_only_is_complete_where_all_came(house: House, destination: Pacs) -> None:
    objects = series(2)
    house.put(*objects)
    with library(objects, destination=destination.port) as pacs:
        brought(house, pacs)
    assert len(destination.received) == 2


def test_a_move_with_warnings_only_is_incomplete_where_something_did_not_come(house: House, destination: Pacs) -> None:
    objects = series(2)
    house.put(objects[0])
    with (
        library(objects, destination=destination.port) as pacs,
        pytest.raises(IncompleteStudyError, match=r"2 objects of the study, and 1 of them came .* with 0xB000, 2 sent"),
    ):
        brought(house, pacs)


@pytest.mark.parametrize("levels", [("STUDY", "SERIES", "IMAGE"), ("STUDY",)])
def test_a_success_that_moved_nothing_is_no_success(house: House, levels: tuple[str, ...]) -> None:
    with library(series(2), moves=False, levels=levels) as pacs, pytest.raises(IncompleteStudyError, match="0 sent"):
        brought(house, pacs)


def test_studies_of_whom_a_peer_does_not_say_are_not_taken_for_one_patient_s(house: House) -> None:
    objects = [*series(1), *series(1)]
    for one in objects:
        one.AccessionNumber = "A1"
    with library(objects, leaves_out=("PatientID",)) as pacs, pytest.raises(SeveralPatientsError):
        studies_of_one_patient(house.config, pacs.peer(), {"AccessionNumber": "A1"})
