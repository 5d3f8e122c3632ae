"""SEGs in OHIF: where the pipeline found it, in its colours; and what becomes of the viewer where it shows none."""

from __future__ import annotations

import pytest

from orthanc_test.viewers.conftest import Saw, Show

pytestmark = pytest.mark.viewers
VOLUMES = [
    pytest.param("liver", "BINARY", marks=pytest.mark.short),
    ("brain", "BINARY"),
    ("kidney", "BINARY"),
    ("black_blood", "BINARY"),
    ("liver", "LABELMAP"),
    ("brain", "LABELMAP"),
    pytest.param("kidney", "LABELMAP", marks=pytest.mark.short),
    ("black_blood", "LABELMAP"),
    ("liver", "FRACTIONAL"),
    ("brain", "FRACTIONAL"),
    ("kidney", "FRACTIONAL"),
    ("black_blood", "FRACTIONAL"),
]
COMPRESSED = [(seg_type, codec) for seg_type in ("LABELMAP", "FRACTIONAL") for codec in ("RLE", "JPEG-LS")]
"""No JPEG 2000: Debian's Orthanc does not decode it for a viewer that asks for plain frames."""
FLAT = {
    "lung": ('SEG of a radiograph, `radiograph_seg = "plain"`', 'SEG of a radiograph, `radiograph_seg = "oriented"`'),
    "polyp": ("SEG of endoscopy, plain", "SEG of endoscopy, oriented"),
}


@pytest.mark.parametrize(("case", "seg_type"), VOLUMES)
def test_a_segmentation_of_a_volume_lies_where_it_was_found(case: str, seg_type: str, show: Show, saw: Saw) -> None:
    study = show(case, ["SEG"], seg_type=seg_type)
    study.open_segmentation()
    assert (study.misplaced(), study.discoloured(), study.page.problems) == ([], {}, [])
    kind = "FRACTIONAL, all or nothing" if seg_type == "FRACTIONAL" else seg_type
    saw(f"SEG of CT and MR, {kind}", "OHIF", "shown: place, names, colours; every plane equal")


@pytest.mark.parametrize(("seg_type", "compression"), COMPRESSED)
def test_a_compressed_segmentation_lies_where_it_was_found(
    seg_type: str, compression: str, show: Show, saw: Saw
) -> None:
    study = show("organs", ["SEG"], seg_type=seg_type, seg_compression=compression)
    study.open_segmentation()
    assert (study.misplaced(), study.discoloured(), study.page.problems) == ([], {}, [])
    saw("SEG of CT, compressed", "OHIF", f"{seg_type} in {compression}: shown, every plane equal")


def test_probabilities_do_no_harm(show: Show, saw: Saw) -> None:
    study = show("likely organs", ["SEG"], seg_type="FRACTIONAL")
    study.open("SEG")
    study.page.wait_for_image(study.stack.series_uid)
    assert (study.page.is_alive(), study.page.problems) == (True, [])
    saw("SEG of CT and MR, FRACTIONAL, probabilities", "OHIF", "not shown (OHIF/Viewers#1346); the image stays")


@pytest.mark.parametrize("seg_type", ["BINARY", "LABELMAP", "FRACTIONAL"])
@pytest.mark.parametrize("case", FLAT)
def test_a_plain_segmentation_without_a_place_in_the_patient_does_no_harm(
    case: str, seg_type: str, show: Show, saw: Saw
) -> None:
    study = show(case, ["SEG"], seg_type=seg_type)
    study.open("SEG")
    study.page.wait_for_image(study.stack.series_uid)
    assert (study.page.is_alive(), study.page.problems) == (True, [])
    saw(FLAT[case][0], "OHIF", "not shown; the image stays (without spacing OHIF ended: OHIF/Viewers#4837)")


@pytest.mark.parametrize(
    ("case", "seg_type"),
    [
        pytest.param("lung", "BINARY", marks=pytest.mark.short),
        ("lung", "LABELMAP"),
        ("lung", "FRACTIONAL"),
        ("polyp", "BINARY"),
        ("polyp", "LABELMAP"),
        ("polyp", "FRACTIONAL"),
        ("real radiograph", "BINARY"),
    ],
)
def test_an_oriented_segmentation_lies_where_it_was_found(case: str, seg_type: str, show: Show, saw: Saw) -> None:
    study = show(case, ["SEG"], viewer="ohif", seg_type=seg_type)
    study.open_segmentation()
    assert (study.misplaced(), study.discoloured(), study.page.problems) == ([], {}, [])
    saw(FLAT["polyp" if case == "polyp" else "lung"][1], "OHIF", "shown: place, names, colours; every pixel equal")
