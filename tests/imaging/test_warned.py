from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, RLELossless

from dicom_node.errors import ObjectError
from dicom_node.imaging import read_photograph, read_radiograph
from dicom_node.imaging.warned import pydicom_warnings
from tests.imaging.objects import only, photograph, radiograph

_HEARS = """
import logging
from pathlib import Path
from dicom_node.config import Config
from dicom_node.imaging.warned import pydicom_warnings
from dicom_node.logs import set_up_log
set_up_log(Config(folder=Path()))
with pydicom_warnings() as heard:
    logging.getLogger("pydicom").warning("spoilt")
print(heard)
"""


def test_a_warning_is_heard_by_the_thread_that_caused_it_alone() -> None:
    with ThreadPoolExecutor(1) as others, pydicom_warnings() as heard:
        others.submit(logging.getLogger("pydicom").warning, "of another thread").result()
        logging.getLogger("pydicom.pixels").warning("of this thread")
    assert heard == ["of this thread"]


def test_a_process_of_the_node_hears_warnings_and_logs_none() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HEARS], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("['spoilt']", "")


@pytest.mark.filterwarnings("ignore")
def test_a_warning_of_the_decoding_is_a_reason_to_refuse(tmp_path: Path) -> None:
    dataset = radiograph(np.full((6, 9), 7, np.uint16))
    dataset.compress(RLELossless, generate_instance_uid=False)
    assert len(dataset.PixelData) == 6 * 9 * 2  # of which pydicom warns that it may not be compressed at all
    with pytest.raises(ObjectError, match=f"{dataset.SOPInstanceUID}: its pixel data cannot be trusted: The number"):
        read_radiograph(only(tmp_path, [dataset]))


def named_rgb(stream: bytes) -> bytes:
    """Return a JPEG stream without its JFIF marker, of components called R, G and B instead of 1, 2 and 3."""
    application = stream.index(b"\xff\xe0")
    stream = stream[:application] + stream[application + 18 :]
    for marker, first, step in ((b"\xff\xc0", 10, 3), (b"\xff\xda", 5, 2)):  # frame and scan header
        at = stream.index(marker)
        for number, name in enumerate(b"RGB"):
            place = at + first + step * number
            stream = stream[:place] + bytes([name]) + stream[place + 1 :]
    return stream


@pytest.mark.filterwarnings("ignore")
def test_components_called_red_green_and_blue_are_that_whatever_the_header_says(tmp_path: Path) -> None:
    colours = np.tile(np.array([120, 140, 100], np.uint8), (32, 32, 1))
    dataset = photograph(colours)
    as_ycbcr = cv2.cvtColor(colours[..., [0, 2, 1]], cv2.COLOR_YCrCb2BGR)  # whose luminance and chrominance they are
    _, stream = cv2.imencode(".jpg", as_ycbcr, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444])
    dataset.PixelData = encapsulate([named_rgb(stream.tobytes())])
    dataset.PhotometricInterpretation = "YBR_FULL"
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    photo = read_photograph(only(tmp_path, [dataset]))
    assert any("of other colours than its header says" in remark for remark in photo.remarks)
    assert np.abs(photo.pictures[0].astype(int) - colours).max() < 8


@pytest.mark.filterwarnings("ignore")
def test_colours_that_the_stream_names_otherwise_than_the_header_are_the_streams(tmp_path: Path) -> None:
    red = np.tile(np.array([200, 30, 40], np.uint8), (32, 32, 1))
    dataset = photograph(red)
    _, stream = cv2.imencode(".jpg", red[..., ::-1])
    dataset.PixelData = encapsulate([stream.tobytes()])
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    (picture,) = read_photograph(only(tmp_path, [dataset])).pictures
    assert np.abs(picture.astype(int) - red).max() < 8
