"""Secondary Captures, presentation states and key images in OHIF."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from orthanc_test.viewers.conftest import Saw, Show
from orthanc_test.viewers.studies import OpenStudy

pytestmark = pytest.mark.viewers
SCROLLS = {
    "single": '`viewer = "ohif"`: shown, scrolls as the original',
    "multiple": "in one object: shown, scrolls by Instance Number",
}


def shown_sources(study: OpenStudy) -> list[str]:
    """Return "SOP Instance UID/frame" of the source of each picture that the viewport scrolls through, in its order."""
    files = {file.sop_instance_uid: dcmread(file.path) for file in study.files if file.kind == "SC"}
    places = [place.split("/") for place in study.page.frames()]
    return [_place(files[uid].SourceImageSequence[int(number) - 1]) for uid, number in places]


def _place(source: Dataset) -> str:
    return f"{source.ReferencedSOPInstanceUID}/{source.get('ReferencedFrameNumber', 1)}"


@pytest.mark.parametrize(
    ("case", "sc_frames"),
    [
        ("liver", "single"),  # numbered from the feet to the head
        ("downwards", "single"),
        ("downwards", "multiple"),
        ("brain", "multiple"),
    ],
)
def test_slices_with_outlines_scroll_as_their_sources(case: str, sc_frames: str, show: Show, saw: Saw) -> None:
    study = show(case, ["SC"], sc_frames=sc_frames)
    study.page.wait_for_image(study.stack.series_uid)
    original = study.page.frames()
    study.open("SC")
    study.page.wait_for_image(study.files[0].series_instance_uid)
    drawn = shown_sources(study)
    assert drawn == [place for place in original if place in drawn]
    assert (len(drawn) > 1, study.page.problems) == (True, [])
    saw("SC, outlines drawn into slices", "OHIF", SCROLLS[sc_frames])


def test_a_picture_with_outlines_is_shown_as_it_was_drawn(show: Show) -> None:
    study = show("lung", ["SC"])
    study.open("SC")
    study.page.wait_for_image(study.files[0].series_instance_uid)
    assert np.array_equal(study.page.pixels()[..., :3], dcmread(study.files[0].path).pixel_array)
    assert study.page.problems == []


def test_an_image_without_its_mark_is_shown_without(show: Show, saw: Saw) -> None:
    study = show("marks", ["SC"])
    study.open("SC")
    study.page.wait_for_image(study.files[0].series_instance_uid)
    shown, source = study.page.pixels(), dcmread(study.stack.frames[0].path).pixel_array
    assert np.array_equal(shown, dcmread(study.files[0].path).pixel_array)
    assert (np.array_equal(shown, source), study.page.problems) == (False, [])
    saw("SC, altered image", "OHIF", "shown, every pixel equal")


@pytest.mark.parametrize("case", ["liver", "measured lungs", "view"])
def test_a_page_is_shown_as_it_was_made(case: str, show: Show, saw: Saw) -> None:
    study = show(case, ["PAGE"])
    study.open("PAGE")
    study.page.wait_for_image(study.files[0].series_instance_uid)
    assert np.array_equal(study.page.pixels(), dcmread(study.files[0].path).pixel_array)
    assert study.page.problems == []
    saw("PAGE", "OHIF", "shown, every pixel equal")


@pytest.mark.parametrize(("kind", "issue"), [("PR", "OHIF/Viewers#4106"), ("KO", "OHIF/Viewers#3644")])
@pytest.mark.parametrize("case", ["liver", "lung", "polyp"])
def test_presentation_states_and_key_images_do_no_harm(case: str, kind: str, issue: str, show: Show, saw: Saw) -> None:
    study = show(case, [kind])
    study.open(kind)
    study.page.wait_for_image(study.stack.series_uid)
    assert (study.page.is_alive(), study.page.problems) == (True, [])
    saw(kind, "OHIF", f"not shown ({issue}); the image stays")
