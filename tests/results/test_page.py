"""Pages: for viewers that show neither SEG nor SR."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import FileDataset, dcmread
from pydicom.uid import (
    EncapsulatedPDFStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.config import Encoding, Language
from dicom_node.errors import ProofError
from dicom_node.findings import Code, Measurement, Remark, Segmentation
from dicom_node.images import Stack
from dicom_node.results.encode import encode, encode_refusal
from dicom_node.results.page.encode import encode_document, make_page
from dicom_node.results.page.typeface import drawable, has_glyphs
from dicom_node.results.page.words import every_text
from dicom_node.results.prove import Proof, prove
from dicom_node.results.request import EncodedFile, Request
from dicom_node.results.sources import read_sources
from tests.results import builders
from tests.results.builders import only, request
from tests.results.test_film import film_request
from tests.support.programs import require

CT_SHAPE = (6, 20, 24)
VOLUME = Code("118565006", "SCT", "Volume")
LEGENDS = 690  # rows of the page, from which on swatches have the colours of findings, too
MILLILITRE = Code("mL", "UCUM", "milliliter")
LIVER, LEFT_KIDNEY, RIGHT_KIDNEY = (180, 60, 60), (60, 60, 180), (60, 180, 60)
"""Colours of `builders.organs`."""


def page_of(stack: Stack, out: Path, *found: Any, **encoding: Any) -> FileDataset:
    return only(encode(request(stack, *found, outputs=("PAGE",), encoding=Encoding(**encoding)), out), "PAGE")


def outline_of(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return the outer edges (x1, y1, x2, y2) of what has a colour, more or less, above the legends of a page."""
    rows, columns = np.nonzero(np.abs(picture[:LEGENDS].astype(int) - colour).max(axis=2) < 30)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)


@pytest.mark.parametrize("spacing", [(0.8, 0.8), (1.6, 0.8)])
def test_outlines_lie_where_the_findings_lie(spacing: tuple[float, float], tmp_path: Path) -> None:
    picture = page_of(
        builders.ct_series(tmp_path, spacing=spacing), tmp_path / "out", builders.organs(CT_SHAPE)
    ).pixel_array
    liver, left, right = (outline_of(picture, colour) for colour in (LIVER, LEFT_KIDNEY, RIGHT_KIDNEY))
    column = (left[0] - right[0]) / 13  # the kidneys begin at columns 15 and 2
    row = column * spacing[0] / spacing[1]
    origin = liver - np.array([3 * column, 2 * row, 9 * column, 7 * row])
    half = np.array([column, row, column, row]) / 2  # of a pixel of the source
    assert (np.abs(origin[:2] - origin[2:]) < half[:2]).all()
    for found, x1, x2 in ((left, 15, 20), (right, 2, 6)):
        expected = np.array([x1 * column, 10 * row, x2 * column, 14 * row]) + np.tile(origin[:2], 2)
        assert (np.abs(found - expected) < half).all()


def test_a_page_is_one_true_colour_picture_in_a_series_of_its_own(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    made = page_of(stack, tmp_path / "out", builders.organs(CT_SHAPE))
    assert (made.SOPClassUID, made.Columns, made.BitsStored) == (SecondaryCaptureImageStorage, 1024, 8)
    assert (made.BurnedInAnnotation, made.ContentQualification) == ("YES", "RESEARCH")
    assert (made.SeriesDescription, made.SeriesNumber) == ("AI Organs of CT page", 9008)
    assert "PixelSpacing" not in made  # nothing is to be measured on it
    assert {one.ReferencedSOPInstanceUID for one in made.SourceImageSequence} <= {
        frame.sop_instance_uid for frame in stack.frames
    }


def test_numbers_have_the_digits_and_units_of_the_report(tmp_path: Path) -> None:
    volume = Measurement(VOLUME, 1857.63491, MILLILITRE, "liver")
    made = page_of(builders.ct_series(tmp_path), tmp_path / "out", builders.organs(CT_SHAPE), volume)
    assert "Liver: Volume 1857.6 mL" in made.ImageComments


SAID: dict[Language, tuple[str, ...]] = {
    "en": ("AI, research use, not for diagnosis", "Left kidney: No measurement", "Liver: Volume 1857.6 mL"),
    "ko": ("AI, 연구용, 진단용 아님", "왼쪽 신장: 측정값 없음", "간: 부피 1857.6 mL"),
    "de": ("KI, Forschung, nicht zur Diagnose", "Linke Niere: Keine Messung", "Leber: Volumen 1857,6 mL"),
}


@pytest.mark.parametrize("language", SAID)
def test_a_page_speaks_the_language_of_its_peer(language: Language, tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, SpecificCharacterSet="ISO_IR 192")
    volume = Measurement(VOLUME, 1857.63491, MILLILITRE, "liver")
    made = page_of(stack, tmp_path / "out", builders.organs(CT_SHAPE), volume, page_language=language)
    lines = made.ImageComments.split("\r\n")
    assert set(SAID[language]) <= set(lines)


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "SeriesDescription", "Modality"])
def test_a_header_of_any_length_leaves_room_for_the_pictures(keyword: str, tmp_path: Path) -> None:
    attributes: dict[str, Any] = {keyword: "W" * 9000}
    stack = builders.radiograph(tmp_path, **attributes)
    made = page_of(stack, tmp_path / "out", builders.marks(), page_patient="name")
    assert "NumberOfFrames" not in made  # all of it on one sheet


@pytest.mark.parametrize("language", SAID)
def test_the_typeface_has_every_character_of_every_language(language: Language) -> None:
    assert [text for text in every_text(language) if not has_glyphs(text)] == []


def test_a_doubt_about_sides_is_said_in_the_language_of_the_peer(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, SpecificCharacterSet="ISO_IR 192")
    doubt = Remark("mark and header disagree: the mark is L, Laterality is R", doubts_sides=True)
    made = page_of(stack, tmp_path / "out", builders.marks(), doubt, page_language="ko")
    assert "표지와 헤더가 다름: 표지는 L, Laterality 값은 R" in made.ImageComments


def test_what_the_page_says_is_an_attribute_in_english_where_the_character_set_lacks_its_letters(
    tmp_path: Path,
) -> None:
    made = page_of(builders.ct_series(tmp_path), tmp_path / "out", builders.organs(CT_SHAPE), page_language="ko")
    assert made.ImageComments.startswith("AI, research use, not for diagnosis")
    assert "?" not in made.ImageComments


def test_a_character_that_the_typeface_lacks_is_drawn_as_its_code_point() -> None:
    assert drawable("洪길동 ö") == "[U+6D2A]길동 ö"


def test_a_language_changes_the_page_and_nothing_else(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    english, korean = (request(stack, encoding=Encoding(page_language=one)) for one in ("en", "ko"))
    assert english.uid("result", "PAGE") != korean.uid("result", "PAGE")
    assert english.uid("result", "PDF") != korean.uid("result", "PDF")
    assert english.uid("result", "SR") == korean.uid("result", "SR")


def test_an_answer_stands_with_its_probability_over_a_picture_of_the_middle(tmp_path: Path) -> None:
    made = page_of(builders.ct_series(tmp_path), tmp_path / "out", builders.contrast())
    assert "Contrast medium: Answer Yes; Probability 0.980; Header ContrastBolusAgent" in made.ImageComments
    assert [one.ReferencedSOPInstanceUID for one in made.SourceImageSequence] == [f"{builders.SERIES}.4"]


def test_a_page_says_that_nothing_was_found_and_names_what_was_not(tmp_path: Path) -> None:
    found = builders.organs(CT_SHAPE)
    found.labels[:] = 0
    lines = page_of(builders.ct_series(tmp_path), tmp_path / "out", found).ImageComments.split("\r\n")
    assert {"Nothing found", "Left kidney: Not found"} <= set(lines)


def test_limits_of_the_result_are_remarks(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, LossyImageCompression="01")
    made = page_of(stack, tmp_path / "out", builders.lungs(), Remark("outside the trained age range"))
    lines = made.ImageComments.split("\r\n")
    assert "Outside the trained age range" in lines
    assert "The images had been compressed with loss before they were analysed." in lines
    assert made.LossyImageCompression == "01"


def test_a_films_page_shows_the_frames_that_show_most_and_says_how_many_were_looked_at(tmp_path: Path) -> None:
    wanted = replace(film_request(tmp_path), outputs=("PAGE",))
    made = only(encode(wanted, tmp_path / "out"), "PAGE")
    assert [one.ReferencedFrameNumber for one in made.SourceImageSequence] == [4, 6]
    assert "3 of 6 frames, as only a sample of the film is looked at." in made.ImageComments
    assert "Lungs, Frame 4: Ratio 0.250" in made.ImageComments


def many(stack: Stack) -> Request:
    """Ask for a page of more remarks than one sheet has room for."""
    remarks = [Remark(f"remark {number} on the liver") for number in range(60)]
    return request(stack, builders.organs(CT_SHAPE), *remarks, outputs=("PAGE", "PDF"))


def test_what_one_sheet_cannot_hold_goes_on_on_the_next(tmp_path: Path) -> None:
    files = encode(many(builders.ct_series(tmp_path)), tmp_path / "out")
    made = only(files, "PAGE")
    assert made.SOPClassUID == MultiFrameTrueColorSecondaryCaptureImageStorage
    assert made.pixel_array.shape == (3, 1448, 1024, 3)
    assert "Remark 59 on the liver" in made.ImageComments


def test_no_text_leaves_the_sheet(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, SeriesDescription="W" * 64)
    wordless = Remark("w" * 300)
    for sheet in page_of(stack, tmp_path / "out", builders.organs(CT_SHAPE), wordless).pixel_array:
        assert (sheet[60:, :38] == sheet[60, 0]).all()
        assert (sheet[60:, 986:] == sheet[60, 0]).all()


def refused(stack: Stack, out: Path, *outputs: str) -> tuple[EncodedFile, ...]:
    return encode_refusal(request(stack, outputs=outputs), "it has 6 slices, at least 30 are needed", out)


def test_a_refused_run_has_a_page_with_the_reason(tmp_path: Path) -> None:
    files = refused(builders.ct_series(tmp_path), tmp_path / "out", "PAGE", "PDF", "SR")
    assert [file.kind for file in files] == ["PAGE", "PDF", "SR"]
    lines = only(files, "PAGE").ImageComments.split("\r\n")
    assert lines[lines.index("Not analysed") + 1] == "It has 6 slices, at least 30 are needed"


def test_a_refused_run_has_no_page_where_none_is_wanted(tmp_path: Path) -> None:
    assert [file.kind for file in refused(builders.ct_series(tmp_path), tmp_path / "out", "SEG", "SR")] == ["SR"]


PATIENT: dict[str, tuple[set[str], set[str]]] = {
    "none": (set(), {"SYN-0001", "Syntheticus", "2026-03-02", "Synthetic series"}),
    "id": ({"SYN-0001", "2026-03-02", "Synthetic series"}, {"Syntheticus", "1970-01-01"}),
    "name": ({"SYN-0001", "2026-03-02", "Syntheticus Patiens", "1970-01-01"}, set()),
}


@pytest.mark.parametrize("patient", PATIENT)
def test_a_page_shows_of_the_patient_what_the_site_wants(patient: Any, tmp_path: Path) -> None:
    require("pdftotext")
    stack = builders.ct_series(tmp_path, SeriesDescription="Synthetic series")
    how = Encoding(page_patient=patient)
    made = only(encode(request(stack, builders.organs(CT_SHAPE), outputs=("PDF",), encoding=how), tmp_path), "PDF")
    text, (shown, hidden) = text_of(made, tmp_path), PATIENT[patient]
    assert {word for word in shown if word not in text} == set()
    assert {word for word in hidden if word in text} == set()


def text_of(made: FileDataset, folder: Path) -> str:
    """Return the text that another program finds in an encapsulated PDF."""
    path = folder / "page.pdf"
    path.write_bytes(made.EncapsulatedDocument[: made.EncapsulatedDocumentLength])
    done = subprocess.run(["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True, text=True)
    return done.stdout


def test_a_pdf_has_the_texts_of_the_page_and_can_be_searched(tmp_path: Path) -> None:
    require("pdftotext")
    stack = builders.ct_series(tmp_path)
    wanted = request(stack, builders.organs(CT_SHAPE), outputs=("PDF",), encoding=Encoding(page_language="ko"))
    made = only(encode(wanted, tmp_path / "out"), "PDF")
    text = text_of(made, tmp_path)
    assert (made.SOPClassUID, made.MIMETypeOfEncapsulatedDocument) == (EncapsulatedPDFStorage, "application/pdf")
    assert {"AI, 연구용, 진단용 아님", "왼쪽 신장", "측정값 없음"} <= {
        part.strip() for part in text.replace("  ", "\n").splitlines()
    }


def test_the_same_request_gives_the_same_page_and_document(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    hashes = [[one.sha256 for one in encode(many(stack), tmp_path / name)] for name in "ab"]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("character_set", ["", "ISO_IR 999", ["", "ISO 2022 IR 149"], "ISO_IR 192"])
def test_a_page_is_made_whatever_the_character_set(character_set: str | list[str], tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, SpecificCharacterSet="ISO_IR 192", PatientName="Hong^Gildong=洪^吉洞")
    source = Path(stack.frames[0].path)
    header = dcmread(source)
    header.SpecificCharacterSet = character_set
    header.save_as(source)
    assert page_of(stack, tmp_path / "out", builders.lungs(), page_patient="name").Columns == 1024


def paint_on_the_picture(made: FileDataset) -> None:
    change_pixels(made, (slice(300, 305), slice(300, 305)))


def paint_on_the_text(made: FileDataset) -> None:
    change_pixels(made, (slice(90, 95), slice(60, 65)))


def change_pixels(made: FileDataset, place: tuple[slice, slice]) -> None:
    picture = made.pixel_array.copy()
    picture[place] = 255, 0, 255
    made.PixelData = picture.tobytes()


def wipe_outlines(made: FileDataset) -> None:
    picture = made.pixel_array.copy()
    picture[(picture == LIVER).all(axis=2)] = 0
    made.PixelData = picture.tobytes()


def change_a_number(made: FileDataset) -> None:
    made.EncapsulatedDocument = made.EncapsulatedDocument.replace(b"/A4", b"/A5").replace(b"%PDF-1.", b"%PDF-2.")


ALTERED = [
    ("PAGE", paint_on_the_picture, "25 pixels away from outlines"),
    ("PAGE", paint_on_the_text, "pixels beside its pictures"),
    ("PAGE", wipe_outlines, "pixels"),
    ("PDF", change_a_number, "not the one that was made"),
]


@pytest.mark.alters
@pytest.mark.parametrize(("kind", "alter", "problem"), ALTERED)
def test_an_altered_page_is_caught(
    kind: str, alter: Callable[[FileDataset], None], problem: str, tmp_path: Path
) -> None:
    stack = builders.ct_series(tmp_path)
    wanted = request(stack, builders.organs(CT_SHAPE), outputs=(kind,))
    (file,) = encode(wanted, tmp_path / "out")
    sources = read_sources(stack)
    proof = Proof(wanted, sources, make_page(wanted, sources))
    if kind == "PDF":
        proof = replace(proof, of=encode_document(wanted, sources, make_page(wanted, sources))[0])
    prove(file.path, proof)
    made = dcmread(file.path)
    alter(made)
    made.save_as(file.path)
    with pytest.raises(ProofError, match=problem):
        prove(file.path, proof)


@pytest.mark.parametrize("kind", ["PAGE", "PDF"])
def test_a_page_that_calls_a_left_organ_right_is_not_made(kind: str, tmp_path: Path) -> None:
    stack, swapped = builders.ct_series(tmp_path), builders.organs(CT_SHAPE, leftward=False)
    with pytest.raises(ProofError, match="left kidney does not lie to the patient's left"):
        encode(request(stack, swapped, outputs=(kind,)), tmp_path / "out")


def test_one_pixel_is_outlined_too(tmp_path: Path) -> None:
    found = builders.organs(CT_SHAPE)
    labels = np.zeros_like(found.labels)
    labels[2, 5, 7] = 1
    picture = page_of(builders.ct_series(tmp_path), tmp_path / "out", Segmentation(labels, found.segments)).pixel_array
    x1, y1, x2, y2 = outline_of(picture, LIVER)
    assert 10 < x2 - x1 < 60
    assert abs((x2 - x1) - (y2 - y1)) <= 2
