"""What a compressed frame says of itself: the size, samples and precision in its own header.

A decoder asks for memory by these numbers and not by the data set's Rows and Columns.
"""

from __future__ import annotations

import dataclasses
import struct

_SOI, _START_OF_CODESTREAM = b"\xff\xd8", b"\xff\x4f\xff\x51"
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})  # SOF0 to SOF15; SOF55 of JPEG-LS
_START_OF_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


@dataclasses.dataclass(frozen=True, slots=True)
class Codestream:
    """One compressed frame's own description."""

    rows: int
    columns: int
    samples: int
    precision: int  # bits of one sample


def describe(frame: bytes) -> Codestream:
    """Read the header of a JPEG, JPEG-LS or JPEG 2000 stream (ISO 10918-1 B.2.2, 14495-1 C.2.2, 15444-1 A.5.1).

    Raises:
        ValueError: the bytes are no such stream, or its header is not whole.
    """
    try:
        if frame[:2] == _SOI:
            return _jpeg(frame)
        start = frame.find(_START_OF_CODESTREAM, 0, 4096)  # some encoders put the boxes of a JP2 file before it
        if start >= 0:
            return _jpeg_2000(frame, start)
    except (struct.error, IndexError) as error:
        raise ValueError("its compressed data end within their own header") from error
    raise ValueError("its compressed data are no JPEG, JPEG-LS or JPEG 2000 stream")


def _jpeg(frame: bytes) -> Codestream:
    at = 2
    while True:
        if frame[at] != 0xFF:
            raise ValueError("its JPEG header is spoilt: a marker is missing")
        marker = frame[at + 1]
        if marker in _FRAME_HEADERS:
            precision, rows, columns, samples = struct.unpack_from(">BHHB", frame, at + 4)
            return Codestream(rows, columns, samples, precision)
        if marker in (_START_OF_SCAN, _END):
            raise ValueError("its JPEG header is spoilt: the frame header is missing")
        if marker == 0xFF:  # a fill byte (ISO 10918-1 B.1.1.2)
            at += 1
        else:
            at += 2 if marker in _ALONE else 2 + struct.unpack_from(">H", frame, at + 2)[0]


def _jpeg_2000(frame: bytes, start: int) -> Codestream:
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    samples, precision = struct.unpack_from(">HB", frame, start + 40)
    return Codestream(bottom - top, right - left, samples, (precision & 0x7F) + 1)
