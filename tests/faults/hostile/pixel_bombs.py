"""Small objects that ask for more memory or time than there is as soon as their pixels are decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from openjpeg.utils import encode_array
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless, generate_uid

from tests.support.dicom import radiograph

_TILE = 1024  # pixels


def pixel_bombs() -> Iterator[tuple[str, Dataset]]:
    """Yield objects of a few bytes to a few hundred KB, each with what it tries."""
    yield "JPEG 2000 of 60416 x 60416", tiled_jpeg_2000(60_416)
    yield "JPEG 2000 of 65535 x 65535, header of 32 x 32", _with_frame(_jpeg_2000(65_535, 65_535), JPEG2000Lossless)
    yield "JPEG of 65535 x 65535, header of 32 x 32", _with_frame(_jpeg(0xC0, 8), JPEGBaseline8Bit)
    yield "JPEG-LS of 65535 x 65535, header of 32 x 32", _with_frame(_jpeg(0xF7, 16), JPEGLSLossless)
    yield "RLE that never ends", _with_frame(_endless_rle(), RLELossless)
    yield "Rows and Columns of 65535, frames of 2147483647", _absurd()


def tiled_jpeg_2000(side: int) -> Dataset:
    """Return a true radiograph of zeros, side x side pixels, in a JPEG 2000 stream of equal tiles."""
    tiles = side // _TILE
    one = bytes(encode_array(np.zeros((_TILE, _TILE), np.uint16)))
    size, start = one.index(b"\xff\x51"), one.index(b"\xff\x90")
    head = bytearray(one[:start])
    struct.pack_into(">II", head, size + 6, side, side)
    parts = [one[start : start + 4] + struct.pack(">H", k) + one[start + 6 : -2] for k in range(tiles * tiles)]
    dataset = _with_frame(bytes(head) + b"".join(parts) + b"\xff\xd9", JPEG2000Lossless)
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
    dataset = radiograph(generate_uid(), generate_uid())
    dataset.Rows = dataset.Columns = 65_535
    dataset.NumberOfFrames = 2_147_483_647
    return dataset
