"""RLE Lossless, decoded into memory of a known size (PS3.5 Annex G)."""

from __future__ import annotations

import itertools
import struct

import numpy as np

_HEADER_BYTES = 64
_MOST_SEGMENTS = 15


def decode_rle(frame: bytes, pixels: int, samples: int, bytes_per_sample: int) -> bytes:
    """Return one frame's samples, little endian, colour by plane.

    Args:
        frame: the compressed frame.
        pixels: Rows x Columns.
        samples: Samples per Pixel.
        bytes_per_sample: Bits Allocated / 8.

    Raises:
        ValueError: a segment is missing, or holds fewer or more bytes than the frame has pixels.
    """
    planes = np.empty((samples, pixels, bytes_per_sample), np.uint8)
    segments = _segments(frame, samples * bytes_per_sample)
    for number, segment in enumerate(segments):
        sample, byte = divmod(number, bytes_per_sample)  # the most significant byte has the first segment
        planes[sample, :, bytes_per_sample - 1 - byte] = np.frombuffer(_unpacked(segment, pixels), np.uint8)
    return planes.tobytes()


def _segments(frame: bytes, expected: int) -> list[bytes]:
    if len(frame) < _HEADER_BYTES:
        raise ValueError("its RLE header is cut short")
    count, *offsets = struct.unpack(f"<{1 + _MOST_SEGMENTS}L", frame[:_HEADER_BYTES])
    if count != expected:
        raise ValueError(f"it has {count} RLE segments where its header says {expected}")
    edges = [*offsets[:count], len(frame)]
    if edges[0] < _HEADER_BYTES or edges != sorted(edges):
        raise ValueError("its RLE segments are out of order")
    return [frame[start:end] for start, end in itertools.pairwise(edges)]


def _unpacked(segment: bytes, pixels: int) -> bytearray:
    """Undo the run lengths of one segment, which may end with one byte of padding."""
    unpacked, at, end = bytearray(), 0, len(segment)
    while len(unpacked) < pixels and at < end:
        control = segment[at]
        if control < 128:
            unpacked += segment[at + 1 : at + 2 + control]
            at += 2 + control
        elif control > 128:
            unpacked += segment[at + 1 : at + 2] * (257 - control)
            at += 2
        else:
            at += 1  # 128 says nothing
    if len(unpacked) != pixels or at > end:
        raise ValueError(f"an RLE segment holds {len(unpacked)} bytes where its header says {pixels}")
    if segment[at:].strip(b"\0\x80"):
        raise ValueError("an RLE segment goes on after its last pixel")
    return unpacked
