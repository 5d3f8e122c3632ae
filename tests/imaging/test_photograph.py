"""Whatever an endoscopy object holds, the model is given red, green and blue, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from openjpeg.utils import encode_array
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import MPEG2MPML, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from dicom_node.errors import ObjectError, UnsuitableError
from dicom_node.imaging import read_photograph
from tests.imaging.objects import only, photograph, stacks

Made = tuple[Dataset, NDArray[np.uint8], float]  # object, what is expected, by how much at most it may be off


def colours(rows: int = 16, columns: int = 24) -> NDArray[np.uint8]:
    """Red at the top, blue at the bottom, more green to the right: swapped channels cannot pass."""
    y, x = np.mgrid[0:rows, 0:columns]
    return np.stack([230 - 10 * y, 6 * x + 20, 40 + 10 * y], -1).astype(np.uint8)


def film_frames(count: int = 12) -> NDArray[np.uint8]:
    return np.stack([np.roll(colours(64, 96) // 2 + 20, 8 * k, axis=1) for k in range(count)])


def _encapsulated(dataset: Dataset, frames: list[bytes], syntax: Any, photometric: str) -> Dataset:
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID, dataset.PhotometricInterpretation = syntax, photometric
    return dataset


def plain() -> Made:
    return photograph(colours()), colours(), 0


def planes_apart() -> Made:
    made = photograph(colours(), PlanarConfiguration=1)
    made.PixelData = colours().transpose(2, 0, 1).tobytes()
    return made, colours(), 0


def ybr_full() -> Made:
    return (
        photograph(convert_color_space(colours(), "RGB", "YBR_FULL"), PhotometricInterpretation="YBR_FULL"),
        colours(),
        2,
    )


def ybr_full_422() -> Made:
    ybr = convert_color_space(colours(), "RGB", "YBR_FULL").reshape(-1, 2, 3)
    halved = np.stack([ybr[:, 0, 0], ybr[:, 1, 0], ybr[:, 0, 1], ybr[:, 0, 2]], -1)
    made = photograph(colours(), PhotometricInterpretation="YBR_FULL_422")
    made.PixelData = halved.tobytes()
    return made, colours(), 8


def palette() -> Made:
    index = np.arange(16 * 24, dtype=np.uint8).reshape(16, 24) % 16
    made, ramp = photograph(colours()), np.arange(16, dtype=np.uint16)
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelData = 1, "PALETTE COLOR", index.tobytes()
    del made.PlanarConfiguration
    tables = {"Red": ramp * 4096, "Green": 65535 - ramp * 4096, "Blue": ramp * 256}
    for name, table in tables.items():
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [16, 0, 16])
        setattr(made, f"{name}PaletteColorLookupTableData", table.astype("<u2").tobytes())
    return made, np.stack([(table >> 8)[index] for table in tables.values()], -1).astype(np.uint8), 0


def jpeg() -> Made:
    _, stream = cv2.imencode(".jpg", colours()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
    return _encapsulated(photograph(colours()), [stream.tobytes()], JPEGBaseline8Bit, "YBR_FULL_422"), colours(), 16


def run_length() -> Made:
    made = photograph(colours())
    made.compress(RLELossless)
    return made, colours(), 0


def jpeg_2000() -> Made:
    rgb = colours(64, 64)
    stream = encode_array(rgb, photometric_interpretation=1, use_mct=True)  # 1 is the codec's word for sRGB
    return _encapsulated(photograph(rgb), [bytes(stream)], JPEG2000Lossless, "YBR_RCT"), rgb, 0


def several_frames() -> Made:
    return photograph(film_frames(3)), film_frames(3), 0


MADE: list[Callable[[], Made]] = [
    plain,
    planes_apart,
    ybr_full,
    ybr_full_422,
    palette,
    jpeg,
    run_length,
    jpeg_2000,
    several_frames,
]


@pytest.mark.parametrize("make", MADE)
def test_every_way_to_store_colour_gives_the_same_picture(tmp_path: Path, make: Callable[[], Made]) -> None:
    made, expected, most = make()
    image = read_photograph(only(tmp_path, [made]))
    assert image.pictures.shape == expected.reshape(-1, *expected.shape[-3:]).shape
    assert np.abs(image.pictures.astype(int) - expected).max() <= most


def test_of_many_frames_only_those_asked_for_are_read(tmp_path: Path) -> None:
    stack = only(tmp_path, [photograph(film_frames(6))])
    few = type(stack)(stack.study_uid, stack.series_uid, stack.frames[1::3], stack.facts)
    assert np.array_equal(read_photograph(few).pictures, film_frames(6)[1::3])


@pytest.fixture
def film(tmp_path: Path) -> Dataset:
    """An MPEG-2 film, as a video endoscope stores it."""
    path, frames = tmp_path / "film.mpg", film_frames()
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MPG2"), 25, (96, 64))
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return _encapsulated(photograph(frames), [path.read_bytes()], MPEG2MPML, "YBR_PARTIAL_420")


def test_the_frames_of_a_film_are_decoded_by_their_number(film: Dataset, tmp_path: Path) -> None:
    stack = only(tmp_path, [film])
    few = type(stack)(stack.study_uid, stack.series_uid, stack.frames[2::5], stack.facts)
    assert [one.number for one in few.frames] == [3, 8]
    difference = np.abs(read_photograph(few).pictures.astype(int) - film_frames()[2::5])
    assert difference.mean() < 6


def test_a_film_that_is_cut_short_is_named(film: Dataset, tmp_path: Path) -> None:
    film.NumberOfFrames = 30
    with pytest.raises(ObjectError, match=f"{film.SOPInstanceUID}: its film cannot be decoded beyond frame"):
        read_photograph(only(tmp_path, [film]))


def test_grey_is_refused(tmp_path: Path) -> None:
    grey = photograph(colours(), SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", PlanarConfiguration=None)
    grey.PixelData = colours()[..., 0].tobytes()
    with pytest.raises(UnsuitableError, match=r"^[\d.]+: PhotometricInterpretation is MONOCHROME2; .* in colour"):
        read_photograph(only(tmp_path, [grey]))


def test_each_photograph_is_a_stack_of_its_own(tmp_path: Path) -> None:
    found = stacks(tmp_path, [photograph(colours()), photograph(colours())]).stacks
    assert [(len(one.frames), one.text("kind")) for one in found] == [(1, "photo"), (1, "photo")]
