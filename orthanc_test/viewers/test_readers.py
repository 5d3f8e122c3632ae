"""SEGs as other programs read them, voxel for voxel: dcmqi (in 3D Slicer), highdicom and SimpleITK."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orthanc_test.viewers.conftest import Make, Saw
from orthanc_test.viewers.readers import (
    Masks,
    found_masks,
    read_with_dcmqi,
    read_with_highdicom,
    read_with_simpleitk,
    run_dcmqi,
    stored_frames,
)
from orthanc_test.viewers.test_segmentations import FLAT

pytestmark = [pytest.mark.viewers, pytest.mark.short]
VOLUMES = ("liver", "kidney", "brain", "black_blood")
SLICER = "dcmqi (3D Slicer's reader)"
EQUAL = "read, every voxel equal"
KINDS = {
    "BINARY": "SEG of CT and MR, BINARY",
    "LABELMAP": "SEG of CT and MR, LABELMAP",
    "FRACTIONAL": "SEG of CT and MR, FRACTIONAL, all or nothing",
}


def differing(read: Masks, found: Masks) -> list[int]:
    """Return the segments that were read otherwise than found, or that only one of the two has."""
    wrong = {number for number in read.keys() & found.keys() if not np.array_equal(read[number], found[number])}
    return sorted(wrong | (read.keys() ^ found.keys()))


@pytest.mark.parametrize("seg_type", KINDS)
@pytest.mark.parametrize("case", VOLUMES)
def test_slicers_reader_finds_every_voxel(case: str, seg_type: str, make: Make, saw: Saw, tmp_path: Path) -> None:
    made = make(case, ["SEG"], seg_type=seg_type)
    assert made.segmentation is not None
    read = read_with_dcmqi(made.results[0].path, made.stack, tmp_path / "read")
    assert differing(read, found_masks(made.segmentation)) == []
    saw(KINDS[seg_type], SLICER, EQUAL)


@pytest.mark.parametrize("seg_type", KINDS)
@pytest.mark.parametrize("case", [*VOLUMES, "lung", "polyp"])
def test_highdicom_finds_every_voxel(case: str, seg_type: str, make: Make, saw: Saw) -> None:
    made = make(case, ["SEG"], seg_type=seg_type)
    assert made.segmentation is not None
    read = read_with_highdicom(made.results[0].path, made.stack)
    assert differing(read, found_masks(made.segmentation)) == []
    saw(FLAT[case][0] if case in FLAT else KINDS[seg_type], "highdicom", EQUAL)


@pytest.mark.parametrize("seg_type", ["BINARY", "FRACTIONAL"])
@pytest.mark.parametrize("case", VOLUMES)
def test_simpleitk_reads_frames_and_spacing(case: str, seg_type: str, make: Make, saw: Saw) -> None:
    made = make(case, ["SEG"], seg_type=seg_type)
    read, spacing = read_with_simpleitk(made.results[0].path)
    assert np.array_equal(read, stored_frames(made.results[0].path))
    assert spacing == pytest.approx((0.8, 0.8, 2.5))
    saw(KINDS[seg_type], "SimpleITK", "frames and spacing read")


def test_simpleitk_knows_no_label_maps(make: Make, saw: Saw) -> None:
    made = make("liver", ["SEG"], seg_type="LABELMAP")
    with pytest.raises(RuntimeError, match="Unable to determine ImageIO reader"):
        read_with_simpleitk(made.results[0].path)
    saw(KINDS["LABELMAP"], "SimpleITK", "not read: the class is newer than its GDCM")


@pytest.mark.parametrize("case", FLAT)
def test_simpleitk_reads_an_oriented_segmentation(case: str, make: Make, saw: Saw) -> None:
    made = make(case, ["SEG"], radiograph_seg="oriented")
    read, _ = read_with_simpleitk(made.results[0].path)
    assert np.array_equal(read, stored_frames(made.results[0].path))
    saw(FLAT[case][1], "SimpleITK", "frames read")


@pytest.mark.parametrize("case", FLAT)
def test_simpleitk_demands_an_orientation(case: str, make: Make, saw: Saw) -> None:
    made = make(case, ["SEG"])
    with pytest.raises(RuntimeError, match="gdcmImageHelper"):
        read_with_simpleitk(made.results[0].path)
    saw(FLAT[case][0], "SimpleITK", "not read: its GDCM demands an orientation")


@pytest.mark.parametrize("case", FLAT)
def test_slicers_reader_takes_no_segmentation_without_a_frame_of_reference(
    case: str, make: Make, saw: Saw, tmp_path: Path
) -> None:
    for kind, how in zip(FLAT[case], ("plain", "oriented"), strict=True):
        made = make(case, ["SEG"], radiograph_seg=how)
        arguments = ("--inputDICOM", made.results[0].path, "--outputDirectory", tmp_path)
        ends = "an error" if run_dcmqi("segimage2itkimage", *arguments).returncode > 0 else "a crash"
        saw(kind, SLICER, f"not read (QIICR/dcmqi#319): it ends with {ends}")
