"""SEGs and reports in dwv."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Error
from pydicom import dcmread

from orthanc_test.viewers.conftest import LoadedInDwv, LoadInDwv, Saw
from orthanc_test.viewers.readers import found_masks

pytestmark = pytest.mark.viewers
REFUSED = [
    ("liver", {"seg_type": "LABELMAP"}, "SEG of CT and MR, LABELMAP", "Unsupported MediaStorageSOPClassUID"),
    (
        "liver",
        {"seg_type": "FRACTIONAL"},
        "SEG of CT and MR, FRACTIONAL, all or nothing",
        "Unsupported SegmentationType value: FRACTIONAL",
    ),
    (
        "lung",
        {"radiograph_seg": "oriented"},
        'SEG of a radiograph, `radiograph_seg = "oriented"`',
        "Unsupported non image position as last index",
    ),
    ("lung", {}, 'SEG of a radiograph, `radiograph_seg = "plain"`', "Unsupported non image position as last index"),
    ("polyp", {}, "SEG of endoscopy, plain", "Unsupported non image position as last index"),
    (
        "polyp",
        {"radiograph_seg": "oriented"},
        "SEG of endoscopy, oriented",
        "Unsupported non image position as last index",
    ),
]


def shown_masks(loaded: LoadedInDwv) -> dict[int, NDArray[np.bool_]]:
    """Return (frames, rows, columns) on the source's grid, by segment number."""
    sources = [dcmread(frame.path, stop_before_pixels=True) for frame in loaded.made.stack.frames]
    planes = {tuple(np.round(place, 3)): labels for place, labels in loaded.page.labels(loaded.names["SEG"])}
    empty = np.zeros((sources[0].Rows, sources[0].Columns))
    labels = np.stack([planes.get(tuple(map(float, source.ImagePositionPatient)), empty) for source in sources])
    return {int(number): labels == number for number in np.unique(labels) if number}


@pytest.mark.parametrize("case", [pytest.param("kidney", marks=pytest.mark.short), "liver"])
def test_dwv_lays_a_segmentation_where_it_was_found(case: str, load_in_dwv: LoadInDwv, saw: Saw) -> None:
    loaded = load_in_dwv(case, ["SEG"])
    assert loaded.made.segmentation is not None
    shown, found = shown_masks(loaded), found_masks(loaded.made.segmentation)
    assert shown.keys() == found.keys()
    assert [number for number, mask in found.items() if not np.array_equal(shown[number], mask)] == []
    assert loaded.page.problems == []
    saw("SEG of CT and MR, BINARY", "dwv", "CT: shown, every plane equal")


def test_dwv_takes_no_segmentation_of_a_multi_frame_source(load_in_dwv: LoadInDwv, saw: Saw) -> None:
    with pytest.raises(Error, match="No index for first frame origin"):
        load_in_dwv("brain", ["SEG"])
    saw("SEG of CT and MR, BINARY", "dwv", "multi-frame MR: not shown (ivmartel/dwv#1536)")


@pytest.mark.parametrize(("case", "encoding", "kind", "message"), REFUSED)
def test_dwv_says_which_segmentations_it_does_not_take(
    case: str, encoding: dict[str, str], kind: str, message: str, load_in_dwv: LoadInDwv, saw: Saw
) -> None:
    with pytest.raises(Error, match=message):
        load_in_dwv(case, ["SEG"], **encoding)
    saw(kind, "dwv", f'not shown, it says "{message}"')
