"""Real objects of several makers and syntaxes: a SEG and a report in the right place, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.seg import segread
from highdicom.sr import srread
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from dicom_node.errors import DicomNodeError
from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.imaging import read_volume, split
from dicom_node.results.encode import encode
from tests.imaging.objects import REAL
from tests.results import builders
from tests.results.drawing import frame_affine, functional_group

ZOO = REAL / "dicom_zoo"
pytestmark = pytest.mark.skipif(not ZOO.is_dir(), reason="the development data is not here")
SYNTAX = "cornerstone/*.dcm_{}TransferSyntax_*.dcm"
RIGHT = {
    **{
        name: SYNTAX.format(name)
        for name in (
            *("LittleEndianImplicit", "LittleEndianExplicit", "BigEndianExplicit", "DeflatedExplicitVRLittleEndian"),
            *("RLELossless", "JPEGProcess1", "JPEGProcess14", "JPEGProcess14SV1", "JPEGLSLossless", "JPEGLSLossy"),
            *("JPEG2000LosslessOnly", "JPEG2000"),
        )
    },
    "JPEG 2000 of another scanner": "cornerstone/testImages_CT1_J2KR",
    "three slices": "dcmqi/data_segmentations_ct_3slice_*.dcm",
    "slices of a multi-frame object": "dcmqi/data_segmentations_23x38x3_image_*.dcm",
    "multi-frame": "dcmqi/data_segmentations_23x38x3_multiframe_mf.dcm",
    "multi-frame of an even width": "dcmqi/data_segmentations_24x38x3_multiframe_mf.dcm",
    "enhanced MR of two contrasts": "qa-enh/In_Philips_IM_0027_fMAP.dcm",
    **{f"enhanced MR {number}": f"qa-enh/In_Siemens_XA10_6_{number}.dcm" for number in (1, 2, 3, 4)},
    "JPEG 2000 of another scanner's second series": "cornerstone/testImages_CT2_J2KR",
    "implicit little endian of another scanner": "cornerstone/testImages_CTImage.dcm",
    "JPEG of 12 bits": SYNTAX.format("JPEGProcess2_4"),
    "JPEG of 12 bits in fragments": "cornerstone/*fragmented_no_bot_jpeg_baseline_51.dcm",
    "slices of an even width": "dcmqi/data_segmentations_24x38x3_image_*.dcm",
    "one slice of CT": "highdicom/data_test_files_ct_image.dcm",
    "one slice of MR": "dcmqi/data_paramaps_pm_example_slice.dcm",
}
REFUSED = {
    "no pixel spacing": ("cornerstone/testImages_no_pixel_spacing.dcm", "no usable Pixel Spacing"),
    "ultrasound in colour": ("cornerstone/testImages_US_YBR_FULL_422_EVRLE.dcm", "its pixels are in colour"),
    "a slide": ("highdicom/data_test_files_sm_image.dcm", "no usable Image Position"),
    "a slide in grey": ("highdicom/data_test_files_sm_image_grayscale.dcm", "no usable Image Position"),
    "a slide in JPEG-LS": ("highdicom/data_test_files_sm_image_jpegls.dcm", "no usable Image Position"),
}
NO_IMAGES = (
    *("dcmqi/data_segmentations_liver.dcm", "dcmqi/data_segmentations_sparse_labelmap_ppv5.dcm"),
    *("dcmqi/data_sr_example_rwvm.dcm", "dcmqi/data_sr_example_sr.dcm", "cornerstone/testImages_no_pixel_data.dcm"),
    *("highdicom/data_test_files_seg_image_ct_true_fractional.dcm", "highdicom/data_test_files_sr_document.dcm"),
    *("highdicom/data_test_files_seg_image_sm_control_labelmap.dcm", "highdicom/data_test_files_sm_annotations.dcm"),
)


def stacks(pattern: str, folder: Path) -> tuple[Stack, ...]:
    """Copy the objects into the folder, so that their own faults are known from ours, and split them."""
    paths = sorted(ZOO.glob(pattern))
    assert paths, f"the development data has no {pattern}"
    copies = [folder / f"{number}.dcm" for number in range(len(paths))]
    for path, copy in zip(paths, copies, strict=True):
        copy.write_bytes(path.read_bytes())
    first = dcmread(copies[0], stop_before_pixels=True)
    found = split(first.StudyInstanceUID, first.SeriesInstanceUID, [(str(copy), "") for copy in copies])
    assert not found.unreadable
    return found.stacks


def brightest(stack: Stack, level: float) -> tuple[int, NDArray[np.float64]]:
    """Return count and centre (LPS mm) of the pixels above a level, by pydicom and PS3.3 C.7.6.2.1.1 alone."""
    opened = {path: dcmread(path) for path in {frame.path for frame in stack.frames}}
    places = [_places(opened[frame.path], (frame.number or 1) - 1, level) for frame in stack.frames]
    together = np.concatenate(places, axis=1)[:3]
    return together.shape[1], together.mean(axis=1)


def _places(dataset: Dataset, frame: int, level: float) -> NDArray[np.float64]:
    pixels = dataset.pixel_array if dataset.pixel_array.ndim == 2 else dataset.pixel_array[frame]
    scale = functional_group(dataset, frame, "PixelValueTransformationSequence")
    values = pixels * float(scale.get("RescaleSlope", 1)) + float(scale.get("RescaleIntercept", 0))
    rows, columns = np.nonzero(values > level)
    return frame_affine(dataset, frame) @ np.stack([columns, rows, 0 * rows, 0 * rows + 1]).astype(np.float64)


def written(stack: Stack, out: Path) -> Iterator[Any]:
    """Segment the brightest 3 % of a stack; yield the level, then what another reader finds of SEG and report."""
    array = read_volume(stack).array
    values = np.unique(array).astype(np.float64)
    below = min(int(np.searchsorted(values, np.quantile(array, 0.97))), len(values) - 2)
    level = float(values[below : below + 2].mean())  # far from any value, so that no rounding decides
    found = Segmentation((array > level).astype(np.uint8), builders.organs((3, 20, 24)).segments[:1])
    seg, report = encode(builders.request(stack, found), out)
    yield from (level, segread(seg.path), srread(report.path))


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom about the objects' own faults
@pytest.mark.parametrize("which", RIGHT)
def test_what_is_bright_is_found_where_the_header_puts_it(which: str, tmp_path: Path) -> None:
    for number, stack in enumerate(stacks(RIGHT[which], tmp_path)):
        level, seg, report = written(stack, tmp_path / f"out{number}")
        count, centre = brightest(stack, level)
        volume = seg.get_volume(combine_segments=True)
        marked = np.argwhere(volume.array)
        assert len(marked) == count > 0
        assert (volume.affine @ [*marked.mean(axis=0), 1.0])[:3] == pytest.approx(centre, abs=min(volume.spacing) / 2)
        (group,) = report.content.get_volumetric_roi_measurement_groups()
        assert group.tracking_uid == seg.SegmentSequence[0].TrackingUID


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("which", REFUSED)
def test_what_cannot_be_read_right_is_refused_by_name(which: str, tmp_path: Path) -> None:
    pattern, reason = REFUSED[which]
    (stack,) = stacks(pattern, tmp_path)
    with pytest.raises(DicomNodeError, match=reason) as caught:
        read_volume(stack)
    assert str(caught.value).startswith(stack.frames[0].sop_instance_uid)


@pytest.mark.parametrize("pattern", NO_IMAGES)
def test_what_is_no_image_is_told_from_images(pattern: str, tmp_path: Path) -> None:
    (stack,) = stacks(pattern, tmp_path)
    assert stack.text("kind") == "non-image"
