from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.seg import SegmentationTypeValues, segread
from pydicom import dcmread

from dicom_node.config import Compression, Encoding, SegType
from dicom_node.errors import ProofError
from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.results.encode import encode
from tests.results import builders
from tests.results.builders import request

SHAPE = (5, 40, 36)  # large enough for JPEG 2000
EVERY: list[tuple[SegType, Compression]] = [
    ("BINARY", "none"),
    ("BINARY", "JPEG 2000"),
    ("LABELMAP", "none"),
    ("LABELMAP", "RLE"),
    ("LABELMAP", "JPEG-LS"),
    ("LABELMAP", "JPEG 2000"),
    ("FRACTIONAL", "none"),
    ("FRACTIONAL", "RLE"),
    ("FRACTIONAL", "JPEG-LS"),
    ("FRACTIONAL", "JPEG 2000"),
]


def with_probabilities(found: Segmentation) -> Segmentation:
    """Return the same segments with a probability that falls off around each."""
    rng = np.random.default_rng(3)
    layers = [np.where(found.labels == one.label, 255, 0) for one in found.segments]
    softened = np.clip(np.stack(layers) - rng.integers(0, 90, (len(layers), *found.labels.shape)), 0, 255)
    return Segmentation(found.labels, found.segments, softened.astype(np.uint8))


def written(stack: Stack, found: Segmentation, tmp_path: Path, **encoding: Any) -> Path:
    return encode(request(stack, found, encoding=Encoding(**encoding)), tmp_path / "out")[0].path


@pytest.mark.parametrize(
    ("seg_type", "compression", "keep_empty"),
    [*((*one, False) for one in EVERY), *((*one, True) for one in EVERY if one[1] == "none")],
)
def test_another_reader_finds_every_segment_in_every_encoding(
    seg_type: SegType, compression: Compression, keep_empty: bool, tmp_path: Path
) -> None:
    stack, found = builders.ct_series(tmp_path, slices=5, shape=SHAPE[1:]), builders.organs(SHAPE)
    path = written(stack, found, tmp_path, seg_type=seg_type, seg_compression=compression, empty_frames=keep_empty)
    read = segread(path)
    assert read.segmentation_type == SegmentationTypeValues[seg_type]
    sources = [frame.sop_instance_uid for frame in stack.frames]
    labels = read.get_pixels_by_source_instance(sources, combine_segments=True, assert_missing_frames_are_empty=True)
    assert np.array_equal(labels, found.labels)
    assert read.NumberOfFrames == {("LABELMAP", False): 3, ("LABELMAP", True): 5}.get(
        (seg_type, keep_empty), 15 if keep_empty else 9
    )


def test_fractions_are_the_models_probabilities(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, slices=5, shape=SHAPE[1:])
    found = with_probabilities(builders.organs(SHAPE))
    read = segread(written(stack, found, tmp_path, seg_type="FRACTIONAL"))
    values = read.get_pixels_by_source_instance(
        [frame.sop_instance_uid for frame in stack.frames], assert_missing_frames_are_empty=True
    )  # (slices, rows, columns, segments), 0 to 1
    assert np.array_equal(np.rint(np.moveaxis(values, -1, 0) * 255), np.asarray(found.probabilities))
    assert (read.SegmentationFractionalType, read.MaximumFractionalValue) == ("PROBABILITY", 255)


def test_without_probabilities_fractions_state_occupancy(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    read = dcmread(written(stack, builders.organs((6, 20, 24)), tmp_path, seg_type="FRACTIONAL"))
    assert read.SegmentationFractionalType == "OCCUPANCY"
    assert set(np.unique(read.pixel_array)) == {0, 255}


def test_probabilities_off_the_grid_are_refused(tmp_path: Path) -> None:
    stack, found = builders.ct_series(tmp_path), builders.organs((6, 20, 24))
    wrong = Segmentation(found.labels, found.segments, np.zeros((3, 6, 24, 20), dtype=np.uint8))
    with pytest.raises(ProofError, match=r"not uint8 of \(3, 6, 20, 24\)"):
        encode(request(stack, wrong), tmp_path / "out")


@pytest.mark.parametrize("seg_type", ["BINARY", "LABELMAP", "FRACTIONAL"])
def test_a_radiograph_and_its_report_are_encoded_in_every_type(seg_type: SegType, tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    wanted = request(stack, builders.lungs(), encoding=Encoding(seg_type=seg_type))
    files = encode(wanted, tmp_path / "out")
    assert [file.kind for file in files] == ["SEG", "SR"]
    labels = segread(files[0].path).get_pixels_by_source_instance(
        [frame.sop_instance_uid for frame in stack.frames], combine_segments=True, ignore_spatial_locations=True
    )
    assert np.array_equal(labels, builders.lungs().labels)


@pytest.mark.parametrize("seg_type", ["BINARY", "LABELMAP"])
def test_frames_of_any_size_are_packed(seg_type: SegType, tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, slices=11, shape=(17, 21))
    labels = np.random.default_rng(1).integers(0, 2, (11, 17, 21), dtype=np.uint8)
    found = Segmentation(labels, builders.organs((11, 17, 21)).segments[:1])
    volume = segread(written(stack, found, tmp_path, seg_type=seg_type)).get_volume(combine_segments=True)
    assert np.array_equal(volume.array.sum(), labels.sum())


def test_frames_too_small_for_a_codec_are_refused(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    wanted = request(stack, builders.organs((6, 20, 24)), encoding=Encoding(seg_compression="JPEG 2000"))
    with pytest.raises(ProofError, match="too small for JPEG 2000"):
        encode(wanted, tmp_path / "out")


def test_more_segments_than_a_byte_counts_are_kept_apart(tmp_path: Path) -> None:
    stack, one = builders.ct_series(tmp_path, slices=2), builders.organs((2, 20, 24)).segments[0]
    labels = np.minimum(np.arange(2 * 20 * 24, dtype=np.uint16).reshape(2, 20, 24) // 3, 257)
    names = [builders.renamed(one, int(label)) for label in range(1, labels.max() + 1)]
    wanted = request(
        stack, Segmentation(labels, tuple(names)), encoding=Encoding(seg_type="LABELMAP"), outputs=("SEG",)
    )
    (file,) = encode(wanted, tmp_path / "out")
    assert dcmread(file.path).BitsAllocated == 16
    assert np.array_equal(np.sort(segread(file.path).pixel_array.ravel()), np.sort(labels.ravel()))


def test_a_bit_cannot_be_run_length_encoded() -> None:
    with pytest.raises(ValueError, match="cannot hold a BINARY SEG"):
        Encoding(seg_compression="RLE")
