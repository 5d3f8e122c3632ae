from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import DigitalXRayImageStorageForProcessing

from dicom_node.errors import ObjectError, UnsuitableError
from dicom_node.images import Radiograph
from dicom_node.imaging import read_image, read_radiograph
from tests.imaging.objects import multi_frame_ct, only, radiograph

RAMP = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)


def _picture(folder: Path, pixels: Any = RAMP, **attributes: Any) -> NDArray[np.uint8]:
    return read_radiograph(only(folder, [radiograph(pixels, **attributes)])).picture


def _table(values: list[int], bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(values), 0, bits]
    item.LUTData = np.array(values, dtype=np.uint16).tobytes()
    item["LUTData"].VR = "OW"
    item.ModalityLUTType = "US"
    return item


def test_without_a_window_the_picture_runs_between_percentiles(tmp_path: Path) -> None:
    outlier = RAMP.copy()
    outlier[0, 0] = 60000
    picture = _picture(tmp_path, outlier)
    assert (int(picture[0, 1]), int(picture[-1, -1]), int(picture[8, 0])) == (0, 255, 127)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", lambda x: (x - 2047.5) / 999 + 0.5),
        ("LINEAR_EXACT", lambda x: (x - 2048) / 1000 + 0.5),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 2048) / 1000))),
    ],
)
def test_the_window_is_applied_by_its_function(tmp_path: Path, function: str, expected: Any) -> None:
    picture = _picture(tmp_path, WindowCenter=2048, WindowWidth=1000, VOILUTFunction=function)
    assert picture.tolist() == np.rint(255 * np.clip(expected(RAMP.astype(float)), 0, 1)).astype(int).tolist()


def test_of_several_windows_the_first_is_applied(tmp_path: Path) -> None:
    picture = _picture(tmp_path, WindowCenter=[8, 2048], WindowWidth=[16, 4096], VOILUTFunction="LINEAR_EXACT")
    assert picture[0].tolist() == [0] + 15 * [255]


def test_a_window_of_no_width_is_left_for_percentiles(tmp_path: Path) -> None:
    assert len(np.unique(_picture(tmp_path, WindowCenter=2048, WindowWidth=0))) > 200


def test_the_rescale_comes_before_the_window(tmp_path: Path) -> None:
    attributes = {"WindowCenter": 0, "WindowWidth": 4096, "VOILUTFunction": "LINEAR_EXACT"}
    picture = _picture(tmp_path, RescaleSlope=1, RescaleIntercept=-2048, **attributes)
    assert (int(picture[0, 0]), int(picture[8, 0])) == (0, 128)


def test_a_modality_lut_comes_before_the_window(tmp_path: Path) -> None:
    table = _table([0, 100, 400, 900], bits=16)
    pixels = np.array([[0, 1], [2, 3]], dtype=np.uint16)
    window = {"WindowCenter": 500, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"}
    assert _picture(tmp_path, pixels, ModalityLUTSequence=[table], **window).tolist() == [[0, 25], [102, 230]]


def test_a_voi_lut_is_preferred_to_a_window(tmp_path: Path) -> None:
    pixels = np.array([[0, 1], [2, 3]], dtype=np.uint16)
    voi = [_table([0, 1023, 2047, 4095], bits=12)]
    assert _picture(tmp_path, pixels, VOILUTSequence=voi, WindowCenter=0, WindowWidth=1).tolist() == [
        [0, 64],
        [127, 255],
    ]


def test_monochrome1_is_turned_over_once(tmp_path: Path) -> None:
    window = {"WindowCenter": 2048, "WindowWidth": 4096, "VOILUTFunction": "LINEAR_EXACT"}
    plain = _picture(tmp_path, **window)
    turned = _picture(tmp_path, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE", **window)
    assert np.abs(plain.astype(int) + turned - 255).max() <= 1
    assert (int(turned[0, 0]), int(plain[0, 0])) == (255, 0)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_shift_the_percentiles(tmp_path: Path, photometric: str) -> None:
    pixels = RAMP.copy()
    pixels[:, :4], pixels[0, 0] = 60000, 60010
    padding = {"PixelPaddingValue": 60000, "PixelPaddingRangeLimit": 60020}
    picture = _picture(tmp_path, pixels, PhotometricInterpretation=photometric, **padding)
    assert int(picture[:, :4].max()) == 0
    assert picture[:, 4:].std() > 60


def test_signed_pixels_keep_their_order(tmp_path: Path) -> None:
    picture = _picture(tmp_path, np.arange(-128, 128, dtype=np.int16).reshape(16, 16))
    assert (int(picture[0, 0]), int(picture[-1, -1])) == (0, 255)
    assert (np.diff(picture.ravel().astype(int)) >= 0).all()


def test_eight_bits_are_read_like_any_other(tmp_path: Path) -> None:
    picture = _picture(tmp_path, np.arange(256, dtype=np.uint8).reshape(16, 16), WindowCenter=128, WindowWidth=256)
    assert picture.ravel().tolist() == list(range(256))


def test_a_uniform_image_is_black_and_no_error(tmp_path: Path) -> None:
    assert not _picture(tmp_path, np.full((4, 4), 7, dtype=np.uint16)).any()


def test_stored_pixels_are_kept_as_they_are(tmp_path: Path) -> None:
    image = read_image(only(tmp_path, [radiograph(RAMP, PhotometricInterpretation="MONOCHROME1")]), Radiograph)
    assert isinstance(image, Radiograph)
    assert (image.stored.dtype, image.stored.tolist()) == (RAMP.dtype, RAMP.tolist())


@pytest.mark.parametrize(
    ("attributes", "spacing"),
    [
        ({"PixelSpacing": [0.2, 0.3], "ImagerPixelSpacing": [0.1, 0.1]}, (0.2, 0.3)),
        ({"ImagerPixelSpacing": [0.1, 0.15]}, (0.1, 0.15)),
        ({}, None),
    ],
)
def test_spacing_is_the_patients_then_the_detectors(tmp_path: Path, attributes: Any, spacing: Any) -> None:
    assert read_radiograph(only(tmp_path, [radiograph(RAMP, **attributes)])).spacing_mm == spacing


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"PresentationIntentType": "FOR PROCESSING"}, "PresentationIntentType .*For Processing"),
        ({"SOPClassUID": DigitalXRayImageStorageForProcessing, "PresentationIntentType": None}, ".*For Processing"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PhotometricInterpretation is PALETTE COLOR"),
        (
            {"PhotometricInterpretation": "MONOCHROIE2"},
            "PhotometricInterpretation is MONOCHROIE2; a radiograph",
        ),
        ({"PhotometricInterpretation": None}, "PhotometricInterpretation is absent or empty"),
    ],
)
def test_what_no_viewer_would_show_in_grey_is_refused_by_object_and_attribute(
    tmp_path: Path, attributes: Any, reason: str
) -> None:
    with pytest.raises(UnsuitableError, match=rf"^[\d.]+: {reason}"):
        _picture(tmp_path, **attributes)


def test_colour_is_refused(tmp_path: Path) -> None:
    colour = radiograph(RAMP, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    with pytest.raises(UnsuitableError, match="RGB"):
        read_radiograph(only(tmp_path, [colour]))


def test_several_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableError, match="NumberOfFrames of its stack is 2"):
        read_radiograph(only(tmp_path, [multi_frame_ct([(0, 0, 0), (0, 0, 2)])]))


def test_truncated_pixels_name_the_object(tmp_path: Path) -> None:
    dataset = radiograph(RAMP)
    dataset.PixelData = dataset.PixelData[:100]
    with pytest.raises(ObjectError, match=str(dataset.SOPInstanceUID)):
        read_radiograph(only(tmp_path, [dataset]))


def test_a_spoilt_look_up_table_names_the_object(tmp_path: Path) -> None:
    table = _table([0, 1, 2, 3], bits=12)
    del table.LUTData
    dataset = radiograph(RAMP, VOILUTSequence=[table])
    with pytest.raises(ObjectError, match="look-up table"):
        read_radiograph(only(tmp_path, [dataset]))
