from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.tag import Tag
from pydicom.uid import UID

from dicom_node.errors import ObjectError
from dicom_node.results.encode import encode
from dicom_node.results.patient import TYPE_2
from tests.results import builders
from tests.results.builders import only, request

NAMES = [
    ("ISO_IR 192", "Hong^Synthetica=洪^合成=홍^합성"),
    (["", "ISO 2022 IR 149"], "Hong^Synthetica=洪^合成=홍^합성"),
    (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    ("ISO_IR 100", "Mödel^Ünecht"),
    (None, "Syntheticus^Patiens"),
]


def raw(path: Path | str, keyword: str) -> bytes:
    value: bytes | None = dcmread(path).get_item(Tag(keyword)).value
    return value or b""


@pytest.mark.parametrize(("character_set", "name"), NAMES)
def test_names_keep_their_bytes_in_every_character_set(
    character_set: str | list[str] | None, name: str, tmp_path: Path
) -> None:
    stack = builders.radiograph(tmp_path, SpecificCharacterSet=character_set, PatientName=name)
    files = encode(request(stack, builders.lungs(), builders.erased(stack)), tmp_path / "out")
    for file in files:
        assert raw(file.path, "PatientName") == raw(stack.frames[0].path, "PatientName")
        assert str(dcmread(file.path).PatientName) == name
        assert ("SpecificCharacterSet" in dcmread(file.path)) == (character_set is not None)


@pytest.mark.filterwarnings("ignore:Unknown encoding")
@pytest.mark.parametrize("character_set", ["", "ISO_IR 999", "ISO_IR 6"])
def test_bytes_that_the_character_set_denies_are_kept_as_they_are(character_set: str, tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, SpecificCharacterSet="ISO_IR 192", PatientName="홍^합성")
    source = Path(stack.frames[0].path)
    before = raw(source, "PatientName")
    source.write_bytes(source.read_bytes().replace(b"ISO_IR 192", character_set.encode().ljust(10)))
    for file in encode(request(stack, builders.lungs()), tmp_path / "out"):
        assert raw(file.path, "PatientName") == before


@pytest.mark.parametrize("character_set", ["ISO_IR 192", ["", "ISO 2022 IR 149"]])
def test_names_inside_sequences_are_kept(character_set: str | list[str], tmp_path: Path) -> None:
    item = Dataset()
    item.PatientID, item.TypeOfPatientID = "합성-1", "TEXT"
    stack = builders.ct_series(tmp_path, SpecificCharacterSet=character_set, OtherPatientIDsSequence=[item])
    made = only(encode(request(stack, builders.organs((6, 20, 24))), tmp_path / "out"), "SEG")
    assert made.OtherPatientIDsSequence[0].PatientID == "합성-1"


def test_our_own_words_fit_the_sources_character_set(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    report = only(encode(request(stack, title="Lunge größer"), tmp_path / "out"), "SR")
    assert report.SeriesDescription == "AI Lunge gr??er findings"


@pytest.mark.parametrize("stack_of", [builders.ct_series, builders.radiograph])
def test_a_header_stripped_of_types_2_and_3_is_completed_and_listed(stack_of: Any, tmp_path: Path) -> None:
    stripped = dict.fromkeys((*TYPE_2, "Manufacturer", "SeriesNumber", "InstanceNumber", "PatientOrientation"))
    more = dict.fromkeys(
        ("BodyPartExamined", "ViewPosition", "SliceThickness", "PositionReferenceIndicator", "ImageType")
    )
    stack = stack_of(tmp_path, **stripped, **more)
    found = builders.lungs() if stack_of is builders.radiograph else builders.organs((6, 20, 24))
    for file in encode(request(stack, found), tmp_path / "out"):
        made = dcmread(file.path)
        assert file.completed == TYPE_2
        assert all(keyword in made and not made[keyword].value for keyword in TYPE_2)


def test_sequences_and_numbers_of_the_patient_are_kept(tmp_path: Path) -> None:
    item = Dataset()
    item.PatientID, item.IssuerOfPatientID = "SYN-OTHER", "elsewhere"
    stack = builders.radiograph(tmp_path, OtherPatientIDsSequence=[item], PregnancyStatus=4, PatientWeight="70.5")
    made = only(encode(request(stack), tmp_path / "out"), "SR")
    assert made.OtherPatientIDsSequence[0].IssuerOfPatientID == "elsewhere"
    assert (made.PregnancyStatus, raw(str(made.filename), "PatientWeight")) == (4, b"70.5")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"])
def test_other_encodings_of_the_header_lose_nothing(syntax: str, tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, PregnancyStatus=4, SmallestImagePixelValue=None)
    dataset = dcmread(stack.frames[0].path)
    little = syntax.endswith("1.2")
    if not little:
        dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dcmwrite(stack.frames[0].path, dataset, implicit_vr=little, little_endian=little, force_encoding=True)
    files = encode(request(stack, builders.erased(stack)), tmp_path / "out")
    assert [dcmread(file.path).PregnancyStatus for file in files] == [4, 4]


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "PatientBirthDate"])
def test_two_patients_in_one_series_give_no_result(keyword: str, tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    dataset = dcmread(stack.frames[3].path)
    setattr(dataset, keyword, "19010101")
    dataset.save_as(stack.frames[3].path)
    with pytest.raises(ObjectError, match=keyword) as caught:
        encode(request(stack), tmp_path / "out")
    assert "19010101" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_group_lengths_inside_sequences_are_no_difference(tmp_path: Path) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "113100", "DCM", "Basic Profile"
    item.is_undefined_length_sequence_item = True
    stack = builders.radiograph(tmp_path, DeidentificationMethodCodeSequence=[item])
    source = Path(stack.frames[0].path)
    opening = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    header = dcmread(source)
    header["DeidentificationMethodCodeSequence"].is_undefined_length = True
    header.save_as(source)
    source.write_bytes(source.read_bytes().replace(opening, opening + b"\x08\x00\x00\x00UL\x04\x00\x20\x00\x00\x00", 1))
    assert Tag(0x0008, 0x0000) in dcmread(source).DeidentificationMethodCodeSequence[0]
    for file in encode(request(stack, builders.lungs()), tmp_path / "out"):
        (kept,) = dcmread(file.path).DeidentificationMethodCodeSequence
        assert kept.CodeMeaning == "Basic Profile"
