"""Which studies a peer is believed to hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset

from dicom_node.config import Config
from dicom_node.deliver import find_studies, list_objects
from dicom_node.deliver.studies import IgnoredKeyError, UnaskableKeyError
from dicom_node.errors import PeerError
from tests.deliver.library import library
from tests.deliver.pacs import our_config
from tests.support.dicom import ct_slice


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return our_config(tmp_path)


def image(study_uid: str, patient: str = "P1", accession: str = "A1", date: str = "20260102") -> Dataset:
    dataset = ct_slice(study_uid, f"{study_uid}.1")
    dataset.PatientID, dataset.AccessionNumber, dataset.StudyDate = patient, accession, date
    if not patient.isascii():
        dataset.SpecificCharacterSet = "ISO_IR 192"
    return dataset


def test_a_key_beyond_ascii_goes_out_whole_and_finds_its_own_patient(config: Config) -> None:
    with library([image("1.2.1", "김-4711"), image("1.2.2", "ABC4711")]) as pacs:
        found = find_studies(config, pacs.peer(), {"PatientID": "김-4711"})
    assert [study.study_uid for study in found] == ["1.2.1"]
    assert pacs.asked[0].SpecificCharacterSet == "ISO_IR 192"
    assert "김-4711".encode() in pacs.raw[0]


def test_a_key_in_ascii_names_no_character_set(config: Config) -> None:
    with library([image("1.2.1")]) as pacs:
        find_studies(config, pacs.peer(), {"PatientID": "P1"})
    assert "SpecificCharacterSet" not in pacs.asked[0]


@pytest.mark.parametrize("value", ["P1\\P2", "P\udce91", "P\x1b1"])
def test_a_value_that_would_ask_for_something_else_is_not_asked(config: Config, value: str) -> None:
    with library([image("1.2.1")]) as pacs, pytest.raises(UnaskableKeyError, match="PatientID holds"):
        find_studies(config, pacs.peer(), {"PatientID": value})
    assert pacs.associations == 0


@pytest.mark.parametrize("keyword", ["PatientID", "AccessionNumber", "StudyDate"])
def test_a_peer_that_ignores_a_key_is_not_believed(config: Config, keyword: str) -> None:
    keys = {"PatientID": "P9", "AccessionNumber": "A9", "StudyDate": "20250101-20250131"}
    with (
        library([image("1.2.1"), image("1.2.2")], ignores=(keyword,)) as pacs,
        pytest.raises(IgnoredKeyError, match=f"answered with 2 studies, of which none .* ignores {keyword}"),
    ):
        find_studies(config, pacs.peer(), {keyword: keys[keyword]})


def test_of_a_peer_that_ignores_a_key_only_what_was_asked_for_counts(config: Config) -> None:
    with library([image("1.2.1", "P1"), image("1.2.2", "P2")], ignores=("PatientID",)) as pacs:
        found = find_studies(config, pacs.peer(), {"PatientID": "P2"})
    assert [study.study_uid for study in found] == ["1.2.2"]


def test_an_answer_that_does_not_say_what_was_asked_is_none(config: Config) -> None:
    with library([image("1.2.1")], leaves_out=("AccessionNumber",)) as pacs, pytest.raises(IgnoredKeyError):
        find_studies(config, pacs.peer(), {"AccessionNumber": "A1"})


WILD = [("P?1", "Px1", True), ("P?1", "P1", False), ("P*", "P1", True), ("p1", "P1", False), ("P.1", "Px1", False)]


@pytest.mark.parametrize(("asked", "answered", "is_found"), WILD)
def test_wildcards_are_compared_as_the_standard_has_them(
    config: Config, asked: str, answered: str, is_found: bool
) -> None:
    with library([image("1.2.1", answered), image("1.2.2", "Pq1")], ignores=("PatientID",)) as pacs:
        try:
            found = {study.study_uid for study in find_studies(config, pacs.peer(), {"PatientID": asked})}
        except IgnoredKeyError:
            found = set()
    assert ("1.2.1" in found) == is_found


DATES = [("20260102", True), ("20260101-20260131", True), ("-20260101", False), ("20260102-", True)]


@pytest.mark.parametrize(("asked", "is_found"), DATES)
def test_dates_are_compared_as_ranges(config: Config, asked: str, is_found: bool) -> None:
    with library([image("1.2.1"), image("1.2.2", date="20260102")], ignores=("StudyDate",)) as pacs:
        try:
            found = find_studies(config, pacs.peer(), {"StudyDate": asked})
        except IgnoredKeyError:
            found = []
    assert bool(found) == is_found


def test_a_study_that_is_answered_twice_is_one(config: Config) -> None:
    with library([image("1.2.1")], repeats=3) as pacs:
        assert len(find_studies(config, pacs.peer(), {"PatientID": "P1"})) == 1


@pytest.mark.parametrize("study_uid", ["", "1.2.*", "1.2.1\\1.2.2"])
def test_an_answer_without_one_study_s_uid_is_none(config: Config, study_uid: str) -> None:
    nameless = image("1.2.1")
    nameless.StudyInstanceUID = study_uid.split("\\") if study_uid else None
    with library([nameless], repeats=1) as pacs:
        pacs.objects[0].SOPInstanceUID = "1.2.1.1.1"
        found = find_studies(config, pacs.peer(), {"PatientID": "P1"})
    assert found == []


def test_the_objects_of_a_study_are_listed_with_their_classes(config: Config) -> None:
    objects = [image("1.2.1"), image("1.2.1"), image("1.2.2")]
    objects[1].SeriesInstanceUID = "1.2.1.2"
    with library(objects) as pacs:
        listed = list_objects(config, pacs.peer(), "1.2.1")
    assert listed == {one.SOPInstanceUID: one.SOPClassUID for one in objects[:2]}


def test_a_peer_that_answers_no_queries_below_the_study_lists_nothing(config: Config) -> None:
    with library([image("1.2.1")], levels=("STUDY",)) as pacs:
        assert list_objects(config, pacs.peer(), "1.2.1") == {}


def test_a_query_that_a_peer_refuses_is_an_error(config: Config) -> None:
    with library([], levels=()) as pacs, pytest.raises(PeerError, match="status 0xA900"):
        find_studies(config, pacs.peer(), {"PatientID": "P1"})
