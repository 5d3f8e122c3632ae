"""Real objects of several makers; skipped where the folder of development data is absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  # the name its documentation uses

from dicom_node.images import Volume
from dicom_node.imaging import Split, read_radiograph, read_volume, split
from tests.imaging.objects import REAL

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the development data is not here")
CT = "dicom_zoo/cornerstone/testImages_CTImage.dcm"
PLAIN = f"{CT}_LittleEndianImplicitTransferSyntax_1_2_840_10008_1_2.dcm"


def _split(*patterns: str) -> Split:
    paths = [path for pattern in patterns for path in sorted(REAL.glob(pattern)) if path.is_file()]
    if not paths:
        pytest.skip(f"no {patterns} in the development data")
    return split("1.2.3", "1.2.3.1", [(str(path), "REAL") for path in paths])


def _volume(*patterns: str) -> Volume:
    (stack,) = _split(*patterns).stacks
    return read_volume(stack)


def test_jpeg_ls_slices_with_a_frame_of_reference_each_are_one_volume() -> None:
    volume = _volume("ct_chest_dicom_jpegls/*.dcm")
    assert volume.array.shape == (80, 512, 512)
    assert volume.spacing_mm == pytest.approx((1.0, 0.78125, 0.78125))
    assert -1100 < float(np.median(volume.array)) < 200


def test_jpeg_2000_slices_are_one_axial_volume() -> None:
    volume = _volume("ct_abdomen_dicom/*")
    assert (volume.array.shape, volume.stack.text("plane")) == ((20, 512, 512), "axial")


def test_sagittal_mr_slices_are_one_volume_that_turns_to_axial() -> None:
    volume = _volume("brain_t1_dicom/*.dcm")
    assert (volume.array.shape, volume.stack.text("plane")) == ((192, 256, 256), "sagittal")
    turned = volume.oriented("SPL")
    assert turned.spacing_mm == pytest.approx((0.859375, 0.859375, 0.9), abs=1e-3)


@pytest.mark.parametrize("pattern", ["ct_abdomen_dicom/*", "brain_t1_dicom/000*.dcm"])
def test_voxels_lie_where_another_reader_puts_them(pattern: str) -> None:
    volume = _volume(pattern)
    other = sitk.ReadImage([frame.path for frame in volume.stack.frames])
    slices, rows, columns = (size - 1 for size in volume.array.shape)
    for voxel in ((0, 0, 0), (slices, 0, 0), (0, rows, 0), (slices, rows, columns)):
        place = other.TransformIndexToPhysicalPoint(voxel[::-1])
        assert (volume.affine @ [*voxel, 1])[:3] == pytest.approx(place, abs=0.01)
    assert np.array_equal(volume.array, sitk.GetArrayFromImage(other))


@pytest.mark.parametrize(
    "syntax",
    [
        "LittleEndianExplicitTransferSyntax_1_2_840_10008_1_2_1",
        "DeflatedExplicitVRLittleEndianTransferSyntax_1_2_840_10008_1_2_1_99",
        "BigEndianExplicitTransferSyntax_1_2_840_10008_1_2_2",
        "RLELosslessTransferSyntax_1_2_840_10008_1_2_5",
        "JPEGProcess14TransferSyntax_1_2_840_10008_1_2_4_57",
        "JPEGProcess14SV1TransferSyntax_1_2_840_10008_1_2_4_70",
        "JPEGLSLosslessTransferSyntax_1_2_840_10008_1_2_4_80",
        "JPEG2000LosslessOnlyTransferSyntax_1_2_840_10008_1_2_4_90",
    ],
)
def test_every_lossless_transfer_syntax_gives_the_same_pixels(syntax: str) -> None:
    assert np.array_equal(_volume(f"dicom_zoo/cornerstone/*{syntax}.dcm").array, _volume(PLAIN).array)


@pytest.mark.parametrize("syntax", ["JPEGLSLossy*", "JPEG2000TransferSyntax*"])
def test_lossy_transfer_syntaxes_give_nearly_the_same_pixels(syntax: str) -> None:
    assert np.abs(_volume(f"{CT}_{syntax}").array - _volume(PLAIN).array).mean() < 10


def test_a_retired_progressive_jpeg_of_12_bits_is_decoded_as_the_process_of_its_stream() -> None:
    progressive, extended = (_volume(f"{CT}_JPEGProcess{process}*") for process in ("10_12", "2_4"))
    assert np.abs(progressive.array - extended.array).max() < 1
    assert np.abs(progressive.array - _volume(PLAIN).array).mean() < 10


def test_an_enhanced_mr_of_two_contrasts_is_two_stacks() -> None:
    found = _split("dicom_zoo/qa-enh/In_Philips_IM_0027_fMAP.dcm").stacks
    assert [(one.text("kind"), len(one.frames)) for one in found] == [("volume", 32), ("map", 32)]
    assert [read_volume(one).array.shape for one in found] == [(32, 64, 64), (32, 64, 64)]


def test_repeats_of_an_enhanced_mr_are_told_apart_by_time() -> None:
    found = _split("dicom_zoo/qa-enh/In_Siemens_XA10_6_*.dcm").stacks
    assert [read_volume(one).array.shape for one in found] == 4 * [(6, 64, 64)]


def test_single_frames_and_their_multi_frame_copy_are_the_same_volume() -> None:
    single = _volume("dicom_zoo/dcmqi/data_segmentations_23x38x3_image_*")
    multi = _volume("dicom_zoo/dcmqi/data_segmentations_23x38x3_multiframe_mf.dcm")
    assert np.array_equal(single.array, multi.array)
    assert multi.affine == pytest.approx(single.affine)


def test_a_real_radiograph_is_shown() -> None:
    (stack,) = _split("dicom_zoo/highdicom/data_test_files_dx_image.dcm").stacks
    image = read_radiograph(stack)
    assert image.picture.shape == image.stored.shape == (169, 211)
    assert image.picture.std() > 20


def test_reports_segmentations_and_annotations_are_no_images() -> None:
    found = _split("dicom_zoo/*/*_sr*", "dicom_zoo/*/*_seg*", "dicom_zoo/highdicom/*annotations*")
    others = {Path(one.frames[0].path).name for one in found.stacks if one.text("kind") != "non-image"}
    assert not [
        name for name in others if "_image_IMG" not in name and "multiframe" not in name and "slice" not in name
    ]


def test_every_object_of_the_collection_is_in_a_stack() -> None:
    found = _split("dicom_zoo/*/*")
    paths = {frame.path for one in found.stacks for frame in one.frames}
    assert not found.unreadable
    assert len(paths) > 50
