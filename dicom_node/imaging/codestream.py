"""What a compressed frame says of itself: the size, samples and precision in its own header.

A decoder asks for memory by these numbers and not by the data set's Rows and Columns.
"""

from __future__ import annotations

import dataclasses
import struct

_SOI, _START_OF_CODESTREAM = b"\xff\xd8", b"\xff\x4f\xff\x51"
_JPEG_LS, _FILL = 0xF7, 0xFF
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), _JPEG_LS} - {0xC4, 0xC8, 0xCC})  # SOF0 to SOF15; SOF55 of JPEG-LS
_START_OF_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9), _FILL})  # without a length: markers, and fill bytes (10918-1 B.1.1.2)
_IN_SCAN = frozenset({*range(0xD0, 0xD8), _FILL})  # restart markers, and fill bytes ahead of a marker
_LEAST_MARKER, _LEAST_MARKER_OF_JPEG_LS = 0x01, 0x80  # FF and a byte below is data (10918-1 B.1.1.5, 14495-1 C.1)
_END_OF_CODESTREAM, _PADDING = b"\xff\xd9", 64  # (ISO 15444-1 A.4.4), and bytes that may follow
_CUT_SHORT = "its compressed data are cut short: their end marker is missing"


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
        raise ValueError("its compressed data are cut short") from error
    raise ValueError("its compressed data are no JPEG, JPEG-LS or JPEG 2000 stream")


def _jpeg(frame: bytes) -> Codestream:
    """Walk the segments and scans of a JPEG or JPEG-LS stream from Start of Image to End of Image.

    Decoders spend seconds behind the end of a scan that was cut, or end their process where a segment is spoilt.
    """
    at, found = 2, None
    while (marker := _marker(frame, at)) != _END:
        if marker in _ALONE:
            at += 2 if marker != _FILL else 1
            continue
        if marker in _FRAME_HEADERS:
            precision, rows, columns, samples = struct.unpack_from(">BHHB", frame, at + 4)
            found = Codestream(rows, columns, samples, precision)
            least = _LEAST_MARKER_OF_JPEG_LS if marker == _JPEG_LS else _LEAST_MARKER
        at += 2 + struct.unpack_from(">H", frame, at + 2)[0]
        if marker == _START_OF_SCAN:
            if found is None:
                break
            at = _behind_scan(frame, at, least)
    if found is None:
        raise ValueError("its JPEG header is spoilt: the frame header is missing")
    return found


def _marker(frame: bytes, at: int) -> int:
    if frame[at] != _FILL:
        raise ValueError("its JPEG stream is spoilt: a marker is missing")
    return frame[at + 1]


def _behind_scan(frame: bytes, at: int, least: int) -> int:
    """Return where the first marker behind a scan stands that is no restart marker."""
    while 0 <= (at := frame.find(b"\xff", at)) < len(frame) - 1:
        if frame[at + 1] >= least and frame[at + 1] not in _IN_SCAN:
            return at
        at += 1
    raise ValueError(_CUT_SHORT)


def _jpeg_2000(frame: bytes, start: int) -> Codestream:
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    samples, precision = struct.unpack_from(">HB", frame, start + 40)
    if _END_OF_CODESTREAM not in frame[-_PADDING:]:
        raise ValueError(_CUT_SHORT)
    return Codestream(bottom - top, right - left, samples, (precision & 0x7F) + 1)
