from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom._dicom_dict import DicomDictionary
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.content import content_digest
from dicom_node.errors import ObjectError
from dicom_node.imaging import facts_of
from dicom_node.imaging.headers import frame_values, read_header, values_of_frames
from tests.imaging.objects import PATIENT, ct, multi_frame_ct
from tests.support.dicom import ct_slice, deflate_bomb, encoded
from tests.support.memory import at_most_mb

PERSONAL = re.compile("Physician|Operator|PersonName|Address|Phone|Accession|BirthD|OrderNumber|PatientID|PatientName")
TEXTS = {"LO", "SH", "PN", "DA", "LT", "UT", "ST", "CS", "DS", "IS"}


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def test_facts_never_contain_the_patients_identity() -> None:
    said = json.dumps(dict(facts_of(ct(PatientSex="F", PatientAge="061Y"))))
    assert not [text for text in PATIENT.values() if text in said]
    assert not [part for text in PATIENT.values() for part in text.split("^") if part in said]
    assert "061Y" in said


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("20260701", ("009D",)),
        ("20250711", ("011M",)),
        ("20250710", ("012M",)),
        ("19800711", ("045Y",)),
        ("20260801", ()),
        ("19800231", ()),
        ("", ()),
    ],
)
def test_an_age_that_is_not_stated_follows_from_the_dates(born: str, age: tuple[str, ...]) -> None:
    facts = facts_of(ct(PatientBirthDate=born, StudyDate="20260710"))
    assert facts.get("PatientAge", ()) == age
    assert "PatientBirthDate" not in facts
    assert facts_of(ct(PatientBirthDate=born, StudyDate="20260710", PatientAge="099Y"))["PatientAge"] == ("099Y",)


def test_no_attribute_of_a_patient_a_person_or_an_order_is_a_fact() -> None:
    dataset = Dataset()
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if keyword and (vr in {"PN", "LT", "UT"} or tag >> 16 == 0x0010 or PERSONAL.search(keyword)) and vr in TEXTS:
            setattr(dataset, keyword, "20260101")
    assert len(dataset) > 100
    assert not set(facts_of(dataset)) - {"PatientSex", "PatientSize", "PatientWeight"}


@pytest.mark.filterwarnings("ignore:The value length")
def test_endless_text_is_cut_before_anything_searches_or_shows_it() -> None:
    facts = facts_of(ct(SeriesDescription="inspir" * 20_000, ImageType=[f"{number:05}" for number in range(20_000)]))
    assert (len(str(facts["SeriesDescription"][0])), len(facts["ImageType"])) == (1024, 256)


def test_a_person_named_inside_a_sequence_is_no_fact() -> None:
    request = Dataset()
    request.RequestingPhysician, request.AccessionNumber = "Zuweiser^Zoe", "ACC-1"
    request.RequestedProcedureDescription = "CT kidney"
    physician = Dataset()
    physician.PersonIdentificationCodeSequence = [_code("D-99", "Doktor Name")]
    facts = facts_of(ct(RequestAttributesSequence=[request], ReferringPhysicianIdentificationSequence=[physician]))
    assert facts["RequestedProcedureDescription"] == ("CT kidney",)
    assert not [word for word in ("Zuweiser", "ACC-1", "D-99", "Doktor") if word in str(facts)]


@pytest.mark.parametrize(
    ("attributes", "fact", "values"),
    [
        ({"BodyPartExamined": " CHEST "}, "BodyPartExamined", ("CHEST",)),
        ({"SliceThickness": "2.50"}, "SliceThickness", (2.5,)),
        ({"SeriesNumber": "3"}, "SeriesNumber", (3.0,)),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "ORIGINAL"]}, "ImageType", ("ORIGINAL", "PRIMARY")),
        ({"SpecificCharacterSet": "ISO_IR 192", "SeriesDescription": "복부"}, "SeriesDescription", ("복부",)),
    ],
)
def test_values_are_trimmed_numbers_are_numbers_and_each_counts_once(
    attributes: dict[str, Any], fact: str, values: tuple[object, ...]
) -> None:
    assert facts_of(ct(**attributes))[fact] == values


def test_an_empty_attribute_is_absent() -> None:
    assert not {"BodyPartExamined", "ContrastBolusAgent"} & set(
        facts_of(ct(BodyPartExamined="", ContrastBolusAgent="  "))
    )


def test_private_attributes_are_no_facts() -> None:
    dataset = ct()
    dataset.private_block(0x0029, "SITE", create=True).add_new(0x10, "LO", "Muster in private")
    assert "private" not in str(facts_of(dataset))


def test_a_code_sequence_gives_values_and_meanings_however_deep() -> None:
    view = _code("399067008", "postero-anterior")
    view.ViewModifierCodeSequence = [_code("1", "inner")]
    region = Dataset()
    region.PurposeOfReferenceCodeSequence = [_code("121311", "Localizer")]
    facts = facts_of(ct(AnatomicRegionSequence=[_code("51185008", "Chest")], ReferencedImageSequence=[region]))
    assert facts["AnatomicRegionSequence"] == ("51185008", "Chest")
    assert facts["PurposeOfReferenceCodeSequence"] == ("121311", "Localizer")


def test_functional_groups_are_searched_shared_then_per_frame() -> None:
    facts = facts_of(multi_frame_ct([(0, 0, 0), (0, 0, 2)], times=[1, 2]))
    assert facts["ConvolutionKernel"] == ("Br40",)
    assert facts["TemporalPositionIdentifier"] == (1.0, 2.0)


def test_a_multi_frame_echo_time_is_found_by_both_its_names() -> None:
    echo, shared = Dataset(), Dataset()
    echo.EffectiveEchoTime = 4.6
    shared.MREchoSequence = [echo]
    facts = facts_of(ct(SharedFunctionalGroupsSequence=[shared]))
    assert facts["EchoTime"] == facts["EffectiveEchoTime"] == (4.6,)


def test_a_frames_type_counts_as_image_type() -> None:
    assert facts_of(multi_frame_ct([(0, 0, 0)]))["ImageType"] == ("ORIGINAL", "PRIMARY", "VOLUME", "NONE", "AXIAL")


def test_a_malformed_number_is_kept_as_text() -> None:
    dataset = ct()
    dataset.SliceThickness = "2"
    dataset["SliceThickness"]._value = "2,5"
    assert facts_of(dataset)["SliceThickness"] == ("2,5",)


def test_the_same_bytes_are_read_in_each_objects_own_character_set(tmp_path: Path) -> None:
    said: list[object] = []
    for name, character_set in (("latin", "ISO_IR 100"), ("cyrillic", "ISO_IR 144"), ("latin again", "ISO_IR 100")):
        path = tmp_path / f"{name}.dcm"
        one = ct_slice("1.2.1", "1.2.1.1")
        one.SpecificCharacterSet, one.StationName = "ISO_IR 100", "\xc1 2"
        path.write_bytes(encoded(one).replace(b"ISO_IR 100", character_set.encode()))
        said += facts_of(read_header(str(path)).dataset)["StationName"]
    assert said == ["\xc1 2", "\u0421 2", "\xc1 2"]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("is_delimited", [False, True])
def test_each_frame_says_what_its_functional_groups_hold_however_they_are_encoded(
    tmp_path: Path, syntax: str, is_delimited: bool
) -> None:
    path = tmp_path / "frames.dcm"
    _save_frames(path, syntax, is_delimited=is_delimited)
    dataset = dcmread(path)
    read = list(values_of_frames(read_header(str(path))))
    assert read == [frame_values(dataset, number) for number in (1, 2, 3)]
    assert [values.get("FrameLabel") for values in read] == [("\u0421 0",), ("\u0421 1",), ("\u0421 2",)]


def test_what_frames_show_has_one_digest_however_it_is_encoded(tmp_path: Path) -> None:
    digests = set()
    for syntax, is_delimited in ((ImplicitVRLittleEndian, False), (ExplicitVRLittleEndian, True)):
        path = tmp_path / "frames.dcm"
        _save_frames(path, syntax, is_delimited=is_delimited)
        digests.add(content_digest(path))
    assert len(digests) == 1
    assert "" not in digests


def test_a_functional_group_whose_length_looks_like_a_vr_is_read(tmp_path: Path) -> None:
    dataset = multi_frame_ct([(0, 0, 0)])
    (content,) = dataset.PerFrameFunctionalGroupsSequence[0].FrameContentSequence
    content.FrameLabel = "label"
    content.FrameComments = "x" * (int.from_bytes(b"LT", "little") - 8 - len("label ") - 8)
    path = tmp_path / "frames.dcm"
    dataset.save_as(path, enforce_file_format=True)
    (values,) = values_of_frames(read_header(str(path)))
    assert values["FrameLabel"] == ("label",)


def _save_frames(path: Path, syntax: str, *, is_delimited: bool) -> None:
    dataset = multi_frame_ct([(0, 0, 0), (0, 0, 2), (0, 0, 4)])
    dataset.SpecificCharacterSet = "ISO_IR 144"
    for number, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups.FrameContentSequence[0].FrameLabel = f"\u0421 {number}"
    for element in dataset.iterall():
        if element.VR == "SQ" and is_delimited:
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.save_as(path, enforce_file_format=True)


def test_a_deflated_object_that_would_fill_the_memory_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.dcm"
    path.write_bytes(deflate_bomb(inflated_mb=1100))
    assert path.stat().st_size < 16 << 20
    with at_most_mb(64), pytest.raises(ObjectError, match="inflates to more than"):
        read_header(str(path))
