from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.seg import segread
from pydicom import FileDataset, dcmread
from pydicom.uid import DigitalXRayImageStorageForPresentation

from dicom_node.config import Encoding
from dicom_node.errors import ProofError
from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.results.encode import encode
from tests.results import builders
from tests.results.builders import AXIAL, NEGATED, OBLIQUE, only, request

GEOMETRIES: list[dict[str, Any]] = [
    {"orientation": AXIAL},
    {"orientation": AXIAL, "reverse": True},
    {"orientation": NEGATED},
    {"orientation": (1, 0, 0, 0, 0, -1)},
    {"orientation": (0, 1, 0, 0, 0, -1), "reverse": True},
    {"orientation": OBLIQUE},
    {"orientation": AXIAL, "spacing": (0.6, 0.9)},
]


def whole(shape: tuple[int, int, int]) -> Segmentation:
    """Return a lopsided liver, which no mirroring leaves as it is."""
    found = builders.organs(shape)
    found.labels[1, 2, 3:20] = 1
    return Segmentation(np.where(found.labels == 1, 1, 0).astype(np.uint8), found.segments[:1])


def seg(stack: Stack, found: Segmentation, folder: Path, encoding: Encoding) -> FileDataset:
    """Encode for a peer; the proof has passed."""
    return only(encode(request(stack, found, encoding=encoding), folder), "SEG")


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_every_voxel_lies_where_its_source_does(geometry: dict[str, Any], tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, **geometry)
    found = whole((6, 20, 24))
    (file, _) = encode(request(stack, found), tmp_path / "out")
    written = segread(file.path).get_pixels_by_source_instance(
        [frame.sop_instance_uid for frame in stack.frames],
        assert_missing_frames_are_empty=True,
        combine_segments=True,
    )
    assert np.array_equal(written, found.labels)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_another_reader_finds_the_same_place(geometry: dict[str, Any], tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, **geometry)
    found = whole((6, 20, 24))
    volume = segread(encode(request(stack, found), tmp_path / "out")[0].path).get_volume(combine_segments=True)
    there = volume.affine @ [*np.argwhere(volume.array).mean(axis=0), 1]
    sliced, row, column = np.argwhere(found.labels).mean(axis=0)
    sources = [dcmread(frame.path) for frame in stack.frames]
    positions = np.array([source.ImagePositionPatient for source in sources], dtype=float)
    along = np.array(sources[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    rows, columns = sources[0].PixelSpacing
    here = positions[0] + sliced * (positions[1] - positions[0]) + row * rows * along[1] + column * columns * along[0]
    assert np.allclose(there[:3], here, atol=1e-3)


def test_rounded_cosines_keep_their_place(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, orientation=(0.996, 0.087, 0, -0.075, 0.858, 0.508))
    made = only(encode(request(stack, whole((6, 20, 24))), tmp_path / "out"), "SEG")
    shared = made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    assert list(shared.ImageOrientationPatient) == [0.996, 0.087, 0, -0.075, 0.858, 0.508]


def test_sides_stand_beside_the_segments_type(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    made = only(encode(request(stack, builders.organs((6, 20, 24))), tmp_path / "out"), "SEG")
    kinds = [item.SegmentedPropertyTypeCodeSequence[0] for item in made.SegmentSequence]
    assert "SegmentedPropertyTypeModifierCodeSequence" not in kinds[0]
    assert [kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning for kind in kinds[1:]] == ["Left", "Right"]


def test_a_segment_says_which_algorithm_made_it(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    made = only(encode(request(stack, builders.organs((6, 20, 24))), tmp_path / "out"), "SEG")
    segment = made.SegmentSequence[0]
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (segment.SegmentAlgorithmType, algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (
        *("AUTOMATIC", "organs_ct", "1.2"),
    )
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
    assert "threshold=0.5" in algorithm.AlgorithmParameters
    assert len(segment.RecommendedDisplayCIELabValue) == 3


def test_empty_frames_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    found = whole((6, 20, 24))
    made = [seg(stack, found, tmp_path / str(keep), Encoding(empty_frames=keep)) for keep in (False, True)]
    assert [one.NumberOfFrames for one in made] == [4, 6]


def test_a_segment_without_a_pixel_is_left_out(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    found = builders.organs((6, 20, 24))
    found.labels[found.labels == 2] = 0
    made = only(encode(request(stack, found), tmp_path / "out"), "SEG")
    assert [item.SegmentLabel for item in made.SegmentSequence] == ["liver", "right kidney"]


def test_an_empty_label_map_gives_no_seg(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    found = builders.organs((6, 20, 24))
    found.labels[:] = 0
    assert [file.kind for file in encode(request(stack, found), tmp_path / "out")] == ["SR"]


def test_a_label_without_a_segment_is_refused(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    found = builders.organs((6, 20, 24))
    found.labels[0, 0, 0] = 9
    with pytest.raises(ProofError, match=r"labels \[9\]"):
        encode(request(stack, found), tmp_path / "out")


@pytest.mark.parametrize("shape", [(6, 24, 20), (5, 20, 24)])
def test_a_label_map_off_the_sources_grid_is_refused(shape: tuple[int, int, int], tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    with pytest.raises(ProofError, match=r"its source \(6, 20, 24\)"):
        encode(request(stack, whole(shape)), tmp_path / "out")


def test_slices_without_a_frame_of_reference_are_refused(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, FrameOfReferenceUID=None)
    with pytest.raises(ProofError, match="6 frames without a frame of reference"):
        encode(request(stack, whole((6, 20, 24))), tmp_path / "out")


def test_one_slice_alone_is_segmented(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, slices=1)
    made = only(encode(request(stack, builders.organs((1, 20, 24))), tmp_path / "out"), "SEG")
    assert made.NumberOfFrames == 3


def test_a_sheared_stack_keeps_its_place(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, shear_mm=0.7)
    assert encode(request(stack, builders.organs((6, 20, 24))), tmp_path / "out")


def test_frames_of_a_multi_frame_source_are_cited_by_number(tmp_path: Path) -> None:
    stack = builders.enhanced_ct(tmp_path)
    made = only(encode(request(stack, whole((5, 20, 24))), tmp_path / "out"), "SEG")
    cited = {
        (float(groups.PlanePositionSequence[0].ImagePositionPatient[2]), item.ReferencedFrameNumber)
        for groups in made.PerFrameFunctionalGroupsSequence
        for item in groups.DerivationImageSequence[0].SourceImageSequence
    }
    assert cited == {(7.5, 4), (5.0, 3), (10.0, 5)}
    assert len(made.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 1


@pytest.mark.parametrize("orientation", [["L", "F"], None])
def test_a_radiograph_has_no_plane_and_keeps_its_orientation(orientation: list[str] | None, tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, PatientOrientation=orientation, PixelSpacing=[0.2, 0.2])
    made = only(encode(request(stack, builders.lungs()), tmp_path / "out"), "SEG")
    groups = (made.SharedFunctionalGroupsSequence[0], made.PerFrameFunctionalGroupsSequence[0])
    assert not any("Plane" in element.keyword for one in groups for element in one)
    assert "FrameOfReferenceUID" not in made
    assert (list(made.PatientOrientation or []) or None) == orientation
    assert np.array_equal(made.pixel_array, builders.lungs().labels[0])


def test_a_digital_radiograph_with_a_frame_of_reference_has_no_plane_either(tmp_path: Path) -> None:
    stack = builders.radiograph(
        tmp_path, sop_class=DigitalXRayImageStorageForPresentation, FrameOfReferenceUID=builders.SPACE
    )
    made = only(encode(request(stack, builders.lungs()), tmp_path / "out"), "SEG")
    assert "FrameOfReferenceUID" not in made


def test_lossy_compression_of_the_source_is_said(tmp_path: Path) -> None:
    lossy: dict[str, Any] = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 10,
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    stack = builders.radiograph(tmp_path, **lossy)
    made = only(encode(request(stack, builders.lungs()), tmp_path / "out"), "SEG")
    assert (made.LossyImageCompression, made.LossyImageCompressionRatio) == ("01", 10)


@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagerPixelSpacing"])
def test_a_radiograph_s_seg_has_its_pixel_spacing(tmp_path: Path, keyword: str) -> None:
    given: dict[str, Any] = {keyword: [0.14, 0.15]}
    stack = builders.radiograph(tmp_path, **given)
    made = only(encode(request(stack, builders.lungs()), tmp_path / "out"), "SEG")
    (shared,) = made.SharedFunctionalGroupsSequence
    assert list(shared.PixelMeasuresSequence[0].PixelSpacing) == [0.14, 0.15]
    assert ("PlaneOrientationSequence" in shared, "FrameOfReferenceUID" in made) == (False, False)


def test_a_seg_without_a_known_spacing_says_so(tmp_path: Path) -> None:
    made = only(encode(request(builders.endoscopy(tmp_path), builders.lungs()), tmp_path / "out"), "SEG")
    (measures,) = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    assert (list(measures.PixelSpacing), measures.PixelSpacingCalibrationDescription) == (
        [1, 1],
        "no spacing known, 1 is a pixel's edge",
    )


def test_a_peer_whose_viewer_needs_it_gets_an_invented_orientation(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, PixelSpacing=[0.14, 0.15])
    plain, oriented = (
        only(encode(request(stack, builders.lungs(), encoding=one), tmp_path / "out"), "SEG")
        for one in (Encoding(), Encoding(radiograph_seg="oriented"))
    )
    (orientation,) = oriented.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    assert list(orientation.ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
    assert plain.SOPInstanceUID != oriented.SOPInstanceUID


def test_an_invented_orientation_comes_with_an_invented_spacing_where_there_is_none(tmp_path: Path) -> None:
    made = seg(builders.endoscopy(tmp_path), builders.lungs(), tmp_path, Encoding(radiograph_seg="oriented"))
    (shared,) = made.SharedFunctionalGroupsSequence
    assert list(shared.PixelMeasuresSequence[0].PixelSpacing) == [1, 1]
    assert "FrameOfReferenceUID" not in made


def test_the_background_of_a_label_map_stands_last(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    made = seg(stack, builders.organs((6, 20, 24)), tmp_path, Encoding(seg_type="LABELMAP"))
    assert [item.SegmentNumber for item in made.SegmentSequence] == [1, 2, 3, 0]
