"""Small objects that ask for more memory or time than there is as soon as their pixels are decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from random import SystemRandom

import numpy as np
from openjpeg.utils import encode_array
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from tests.faults.fuzz.inputs import give_identity, stored_object
from tests.support.dicom import deflate_bomb, radiograph
from tests.support.malformed import Wire

_TILE = 1024  # pixels


def pixel_bombs() -> Iterator[tuple[str, Dataset]]:
    """Yield objects of a few bytes to a few hundred KB, each with what it tries."""
    yield "JPEG 2000 of 60416 x 60416", tiled_jpeg_2000(60_416)
    yield "JPEG 2000 of 65535 x 65535, header of 32 x 32", _with_frame(_jpeg_2000(65_535, 65_535), JPEG2000Lossless)
    yield "JPEG of 65535 x 65535, header of 32 x 32", _with_frame(_jpeg(0xC0, 8), JPEGBaseline8Bit)
    yield "JPEG-LS of 65535 x 65535, header of 32 x 32", _with_frame(_jpeg(0xF7, 16), JPEGLSLossless)
    yield "HTJ2K of 65535 x 65535, header of 32 x 32", _with_frame(_jpeg_2000(65_535, 65_535), HTJ2KLossless)
    yield "RLE that never ends", _with_frame(_endless_rle(), RLELossless)
    yield "RLE, header of 65535 x 65535", _with_size(_with_frame(_endless_rle(), RLELossless), 65_535)
    yield "Rows and Columns of 65535, frames of 2147483647", _absurd()


def thrown(called: str) -> list[Wire]:
    """Return a connection for each pixel bomb, of a study of today."""
    return [_stored(dataset, called) for _, dataset in pixel_bombs()]


def largest(called: str) -> Wire:
    """Return a connection with the JPEG 2000 of 60416 x 60416 alone."""
    return _stored(tiled_jpeg_2000(60_416), called)


def within_limits(called: str) -> Wire:
    """Return a connection with a JPEG 2000 of 11264 x 11264, a little less than max_frame_megapixels = 128."""
    return _stored(tiled_jpeg_2000(11_264), called)


def deflated_zeros(called: str) -> Wire:
    """Return a connection with a CT slice of 16 x 16 pixels behind which 300 MiB of zeros are deflated."""
    dataset = dcmread(BytesIO(deflate_bomb(300)))
    give_identity(dataset, SystemRandom())
    return stored_object(dataset, called)


def _stored(dataset: Dataset, called: str) -> Wire:
    give_identity(dataset, SystemRandom())
    return stored_object(dataset, called)


def tiled_jpeg_2000(side: int) -> Dataset:
    """Return a true radiograph of zeros, side x side pixels, in a JPEG 2000 stream of equal tiles."""
    tiles = side // _TILE
    one = bytes(encode_array(np.zeros((_TILE, _TILE), np.uint16)))
    size, start = one.index(b"\xff\x51"), one.index(b"\xff\x90")
    head = bytearray(one[:start])
    struct.pack_into(">II", head, size + 6, side, side)
    parts = [one[start : start + 4] + struct.pack(">H", k) + one[start + 6 : -2] for k in range(tiles * tiles)]
    dataset = _with_frame(bytes(head) + b"".join(parts) + b"\xff\xd9", JPEG2000Lossless)
    return _with_size(dataset, side)


def _with_size(dataset: Dataset, side: int) -> Dataset:
    dataset.Rows = dataset.Columns = side
    return dataset


def _with_frame(frame: bytes, syntax: UID) -> Dataset:
    """Return an object whose header speaks of 32 x 32 pixels, whatever the frame does."""
    dataset = radiograph(generate_uid(), generate_uid())
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _jpeg_2000(rows: int, columns: int) -> bytes:
    stream = bytearray(encode_array(np.zeros((64, 64), np.uint16)))
    struct.pack_into(">II", stream, stream.index(b"\xff\x51") + 6, columns, rows)
    return bytes(stream)


def _jpeg(start_of_frame: int, precision: int) -> bytes:
    """Return a JPEG or JPEG-LS stream of the largest size that holds no pixel (ISO 10918-1 B.2)."""
    frame = struct.pack(">BBHBHHB3s", 0xFF, start_of_frame, 11, precision, 65_535, 65_535, 1, b"\x01\x11\x00")
    return b"\xff\xd8" + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + bytes(100) + b"\xff\xd9"


def _endless_rle() -> bytes:
    """Return two segments, of which each inflates to 64 times its size (PS3.5 G.3.1)."""
    segment = b"\x81\x07" * 100_000
    header = struct.pack("<16L", 2, 64, 64 + len(segment), *(13 * [0]))
    return header + segment + segment


def _absurd() -> Dataset:
    dataset = _with_size(radiograph(generate_uid(), generate_uid()), 65_535)
    dataset.NumberOfFrames = 2_147_483_647
    return dataset
