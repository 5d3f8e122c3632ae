from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.tag import Tag

from dicom_node.errors import ObjectError
from dicom_node.images import Stack
from dicom_node.imaging import PixelLimits, Split, read_radiograph, read_volume
from tests.imaging.objects import ct, ct_series, only, radiograph, stacks

_PICTURE = np.full((4, 6), 7, np.uint16)
_OF_A_SLICE = [
    ("PixelSpacing", [-1, 0]),
    ("PixelSpacing", [1e-300, 1e-300]),
    ("PixelSpacing", ["nan", "1"]),
    ("PixelSpacing", [1]),
    ("RescaleSlope", "nan"),
    ("RescaleSlope", 1e308),
    ("RescaleSlope", 0),
    ("RescaleIntercept", "-inf"),
    ("SliceThickness", -3),
    ("SpacingBetweenSlices", 1e30),
    ("ImagePositionPatient", [0, 0, 1e200]),
    ("ImageOrientationPatient", [5, 0, 0, 0, 5, 0]),
    ("HighBit", 200),
    ("HighBit", 14),
    ("BitsStored", 0),
    ("BitsStored", 60),
    ("BitsAllocated", 65),
    ("SamplesPerPixel", 9),
    ("PixelRepresentation", 7),
    ("Rows", 0),
]
_OF_A_RADIOGRAPH = [
    ("WindowWidth", -5),
    ("WindowWidth", "nan"),
    ("WindowCenter", 1e300),
    ("ImagerPixelSpacing", [1e-300, 1e-300]),
    ("PixelSpacing", [0, 0]),
    ("RescaleSlope", "inf"),
]


@pytest.mark.parametrize(("keyword", "value"), _OF_A_SLICE)
@pytest.mark.filterwarnings("ignore")
def test_a_number_of_a_slice_that_cannot_be_is_refused_by_object_and_attribute(
    keyword: str, value: Any, tmp_path: Path
) -> None:
    slices = ct_series(3)
    setattr(slices[1], keyword, value)
    stack = _stack_of(slices[1].SOPInstanceUID, stacks(tmp_path, slices))
    with pytest.raises(ObjectError, match=f"{slices[1].SOPInstanceUID}: {keyword} is "):
        read_volume(stack)


@pytest.mark.parametrize(("keyword", "value"), _OF_A_RADIOGRAPH)
@pytest.mark.filterwarnings("ignore")
def test_a_number_of_a_radiograph_that_cannot_be_is_refused_by_object_and_attribute(
    keyword: str, value: Any, tmp_path: Path
) -> None:
    dataset = radiograph(_PICTURE, **{keyword: value})
    with pytest.raises(ObjectError, match=f"{dataset.SOPInstanceUID}: {keyword} is "):
        read_radiograph(only(tmp_path, [dataset]))


@pytest.mark.parametrize(
    ("keyword", "vr"), [("BitsStored", "DA"), ("BitsStored", "UI"), ("SamplesPerPixel", "AT"), ("Rows", "SQ")]
)
@pytest.mark.filterwarnings("ignore")
def test_a_number_of_a_vr_that_holds_none_is_refused_by_object_and_attribute(
    keyword: str, vr: str, tmp_path: Path
) -> None:
    stack, uid = _with_vr(tmp_path, keyword, vr)
    with pytest.raises(ObjectError, match=f"{uid}: {keyword} "):
        read_volume(stack)


@pytest.mark.parametrize("vr", ["SL", "PN", "AT"])
@pytest.mark.filterwarnings("ignore")
def test_a_photometric_interpretation_that_is_no_text_is_refused_by_name(vr: str, tmp_path: Path) -> None:
    stack, uid = _with_vr(tmp_path, "PhotometricInterpretation", vr)
    with pytest.raises(ObjectError, match=f"{uid}: PhotometricInterpretation is of VR {vr}, not CS"):
        read_volume(stack)


def test_one_slice_whose_orientation_is_none_is_refused_and_one_without_is_a_slice(tmp_path: Path) -> None:
    with pytest.raises(ObjectError, match="no usable Image Position and Orientation"):
        read_volume(only(tmp_path, [ct(ImageOrientationPatient=[0, 0, 0, 0, 0, 0])]))
    assert len(read_volume(only(tmp_path, [ct(ImageOrientationPatient=None)])).array) == 1


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_ct_whose_values_are_not_known_in_hounsfield_units_is_refused(keyword: str, tmp_path: Path) -> None:
    dataset = ct()
    delattr(dataset, keyword)
    with pytest.raises(ObjectError, match=f"{dataset.SOPInstanceUID}: CT without {keyword}"):
        read_volume(only(tmp_path, [dataset]))


@pytest.mark.parametrize(
    ("limits", "said"),
    [(PixelLimits(frame_megapixels=23e-6), "max_frame_megapixels"), (PixelLimits(1, 71e-6), "max_stack_megapixels")],
)
def test_more_pixels_than_the_limit_are_refused_before_any_is_decoded(
    limits: PixelLimits, said: str, tmp_path: Path
) -> None:
    slices = ct_series(3)
    for dataset in slices:
        dataset.PixelData = b"no pixels at all"
    with pytest.raises(ObjectError, match=f"{slices[0].SOPInstanceUID}: .* 4 x 6 pixels, more than {said}"):
        read_volume(only(tmp_path, slices), limits)


def test_pixels_up_to_the_limit_are_read(tmp_path: Path) -> None:
    assert read_volume(only(tmp_path, ct_series(3)), PixelLimits(24e-6, 72e-6)).array.shape == (3, 4, 6)


def test_empty_pixel_data_are_named(tmp_path: Path) -> None:
    dataset = ct(PixelData=b"")
    with pytest.raises(ObjectError, match=f"{dataset.SOPInstanceUID}: its pixel data are missing or empty"):
        read_volume(only(tmp_path, [dataset]))


def test_an_object_that_was_cut_short_is_named(tmp_path: Path) -> None:
    dataset = ct()
    dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    stack = only(tmp_path, [dataset])
    path = Path(stack.frames[0].path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ObjectError, match=f"{dataset.SOPInstanceUID}: its file is cut short"):
        read_volume(stack)


def _stack_of(uid: str, found: Split) -> Stack:
    return next(stack for stack in found.stacks if uid in {frame.sop_instance_uid for frame in stack.frames})


def _with_vr(folder: Path, keyword: str, vr: str) -> tuple[Stack, str]:
    """Return a CT slice of which one element's VR was altered in the file, and its SOP Instance UID."""
    dataset = ct()
    stack = only(folder, [dataset])
    path, tag = Path(stack.frames[0].path), Tag(keyword)
    head = struct.pack("<HH", tag.group, tag.element)
    file = path.read_bytes()
    at = file.index(head) + len(head)
    path.write_bytes(file[:at] + vr.encode() + file[at + 2 :] if vr != "SQ" else _as_sequence(file, at))
    return stack, str(dataset.SOPInstanceUID)


def _as_sequence(file: bytes, at: int) -> bytes:
    """Return a file in which the element of a short VR whose VR stands at a position is a sequence of spoilt bytes."""
    (length,) = struct.unpack_from("<H", file, at + 2)
    return file[:at] + b"SQ" + struct.pack("<HI", 0, length) + file[at + 4 :]
