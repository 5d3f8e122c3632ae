"""Reports in OHIF, dwv and other readers: what is drawn on the images, and the text where nothing can be drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from highdicom.sr import srread
from pydicom import Dataset, dcmread

from orthanc_test.viewers.conftest import LoadInDwv, Make, Saw, Show
from orthanc_test.viewers.readers import read_as_text, run_dcmqi

pytestmark = pytest.mark.viewers
DRAWN = {  # case: measurement groups with a place, and what stands beside them
    "measured lungs": (3, ("Area: 10.00 mm2", "Area: 13.00 mm2", "Area of the right lung by the left lung's: 0.77")),
    "measured polyps": (2, ("Probability: 0.87", "Share of the image's area: 0.40")),
    "marks": (2, ("Probability: 0.93",)),  # the mark, and the region that the altered image lacks
}
READ = ("liver", "kidney", "brain", "black_blood", "contrast", "view")
SR_CLASSES = ("comprehensive 3d", "comprehensive")
WITH_OUTLINES = "SR with outlines or boxes (radiograph, endoscopy, marks)"
WITHOUT = "SR without anything to draw (volumes, classifications)"
COMPREHENSIVE = 'SR, `sr_class = "comprehensive"`'
SLICER = "dcmqi (3D Slicer's reader)"


def numbers(report: Path) -> list[str]:
    """Return the numbers of a report's measurement groups, without decimals that are zero."""
    groups = (item for item in _items(dcmread(report)) if item.ConceptNameCodeSequence[0].CodeValue == "125007")
    return [f"{item.MeasuredValueSequence[0].NumericValue:.12g}" for group in groups for item in _numbers(group)]


def _items(dataset: Dataset) -> Iterator[Dataset]:
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from _items(item)


def _numbers(group: Dataset) -> Iterator[Dataset]:
    yield from (item for item in _items(group) if item.ValueType == "NUM")


@pytest.mark.parametrize("sr_class", SR_CLASSES)
@pytest.mark.parametrize("case", DRAWN)
def test_what_has_a_place_is_drawn_with_its_numbers(case: str, sr_class: str, show: Show, saw: Saw) -> None:
    study = show(case, ["SR"], viewer="ohif", sr_class=sr_class)
    study.open("SR")
    count, texts = DRAWN[case]
    for text in texts:
        study.page.wait_for_text(text)
    assert (study.page.drawn(study.files[0].series_instance_uid), study.page.problems) == (count, [])
    saw(WITH_OUTLINES if sr_class == SR_CLASSES[0] else COMPREHENSIVE, "OHIF", "drawn, with its numbers")


@pytest.mark.parametrize("sr_class", SR_CLASSES)
@pytest.mark.parametrize("case", READ)
def test_what_has_no_place_is_read_as_text(case: str, sr_class: str, show: Show, saw: Saw) -> None:
    study = show(case, ["SEG", "SR"], viewer="ohif", sr_class=sr_class)
    study.open("SR")
    study.page.wait_for_text("All algorithms succeeded")
    text, stated = study.page.text(), numbers(study.files[-1].path)
    assert stated
    assert ([number for number in stated if number not in text], study.page.problems) == ([], [])
    saw(
        WITHOUT if sr_class == SR_CLASSES[0] else COMPREHENSIVE,
        "OHIF",
        'its text with `viewer = "ohif"`, else nothing (OHIF/Viewers#3390)',
    )


def test_a_refusal_is_read_as_text(show: Show) -> None:
    study = show("liver", ["SR"], refusal="the series lacks slices", viewer="ohif")
    study.open("SR")
    study.page.wait_for_text("the series lacks slices")
    assert study.page.problems == []


def test_the_report_of_a_real_radiograph_is_drawn(show: Show) -> None:
    study = show("real radiograph", ["SEG", "SR"], viewer="ohif")
    study.open("SR")
    study.page.wait_for_text("by the left lung's")
    assert (study.page.drawn(study.files[-1].series_instance_uid) >= 3, study.page.problems) == (True, [])


@pytest.mark.short
@pytest.mark.parametrize("sr_class", SR_CLASSES)
@pytest.mark.parametrize("case", DRAWN)
def test_dwv_draws_what_has_a_place(case: str, sr_class: str, load_in_dwv: LoadInDwv, saw: Saw) -> None:
    loaded = load_in_dwv(case, ["SR"], sr_class=sr_class)
    annotations = loaded.page.annotations(loaded.names["SR"])
    assert {annotation.image for annotation in annotations} == {loaded.made.stack.frames[0].sop_instance_uid}
    assert (len(annotations), loaded.page.problems) == (DRAWN[case][0], [])
    saw(WITH_OUTLINES if sr_class == SR_CLASSES[0] else COMPREHENSIVE, "dwv", "drawn")


@pytest.mark.parametrize("case", READ)
def test_dwv_takes_what_has_no_place(case: str, load_in_dwv: LoadInDwv, saw: Saw) -> None:
    loaded = load_in_dwv(case, ["SR"])
    assert (loaded.page.annotations(loaded.names["SR"]), loaded.page.problems) == ([], [])
    saw(WITHOUT, "dwv", "nothing to draw; the image stays")


@pytest.mark.short
@pytest.mark.parametrize("sr_class", SR_CLASSES)
@pytest.mark.parametrize("case", [*DRAWN, *READ])
def test_dcmtk_shows_a_report_to_people(case: str, sr_class: str, make: Make, saw: Saw) -> None:
    made = make(case, ["SEG", "SR"], sr_class=sr_class)
    text = read_as_text(made.results[-1].path)
    assert [number for number in numbers(made.results[-1].path) if number not in text] == []
    kind = WITH_OUTLINES if case in DRAWN else WITHOUT
    saw(kind if sr_class == SR_CLASSES[0] else COMPREHENSIVE, "dcmtk's dsr2html", "its text")


@pytest.mark.short
@pytest.mark.parametrize("sr_class", SR_CLASSES)
@pytest.mark.parametrize("case", READ[:4])
def test_slicers_reader_finds_every_number_of_a_segment(
    case: str, sr_class: str, make: Make, saw: Saw, tmp_path: Path
) -> None:
    made, read = make(case, ["SEG", "SR"], sr_class=sr_class), tmp_path / "read.json"
    done = run_dcmqi("tid1500reader", "--inputDICOM", made.results[-1].path, "--outputMetadata", read)
    assert done.returncode == 0, done.stderr
    groups = json.loads(read.read_text())["Measurements"]
    found = [item["value"] for group in groups for item in group["measurementItems"]]
    assert sorted(map(float, found)) == sorted(map(float, numbers(made.results[-1].path)))
    saw(WITHOUT if sr_class == SR_CLASSES[0] else COMPREHENSIVE, SLICER, "segments' numbers read")


@pytest.mark.short
@pytest.mark.parametrize("case", [*DRAWN, *READ])
def test_highdicom_reads_a_report(case: str, make: Make, saw: Saw) -> None:
    made = make(case, ["SEG", "SR"])
    content: Any = srread(made.results[-1].path).content  # of a report by TID 1500
    planar, volumes = content.get_planar_roi_measurement_groups(), content.get_volumetric_roi_measurement_groups()
    groups = (*planar, *volumes, *content.get_image_measurement_groups())
    found = [item.value for group in groups for item in group.get_measurements()]
    assert sorted(found) == sorted(map(float, numbers(made.results[-1].path)))
    saw(WITH_OUTLINES if case in DRAWN else WITHOUT, "highdicom", "groups and numbers read")
