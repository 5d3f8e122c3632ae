"""A SEG's pixels: planes made one at a time, and packed or compressed as a peer wants them."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from highdicom.frame import encode_frame
from numpy.typing import NDArray
from openjpeg.utils import encode_array
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from dicom_node.config import Compression, SegType
from dicom_node.errors import ProofError
from dicom_node.findings import Segment, Segmentation
from dicom_node.results.seg_frames import SegFrame

SYNTAXES: dict[Compression, UID] = {
    "none": ExplicitVRLittleEndian,
    "RLE": RLELossless,
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
}
MAX_FRACTION = 255
_GREY = 2  # the codec's word for one sample per pixel
_LEAST_JPEG_2000 = 32  # rows and columns that the codec takes
_PIXEL_DATA = 0x7FE0, 0x0010
_UNDEFINED = 0xFFFFFFFF
_TOGETHER = 8  # frames: whatever their size, so many of one bit fill whole bytes


class Planes:
    """What each frame of a SEG holds, made when it is asked for."""

    def __init__(self, segmentation: Segmentation, segments: Sequence[Segment], seg_type: SegType) -> None:
        self._labels = segmentation.labels
        self._segments = segments
        self._type = seg_type
        self._fractions = segmentation.probabilities
        self._rows = [segmentation.segments.index(one) for one in segments]
        self.bits = {"BINARY": 1, "FRACTIONAL": 8, "LABELMAP": 8 if len(segments) <= MAX_FRACTION else 16}[seg_type]

    def of(self, frame: SegFrame) -> NDArray[Any]:
        """Return (rows, columns): 0 and 1, fractions of MAX_FRACTION, or segment numbers."""
        labels = self._labels[frame.source]
        if self._type == "LABELMAP":
            return np.asarray(self._numbers[labels])
        if self._type == "FRACTIONAL" and self._fractions is not None:
            return np.asarray(self._fractions[self._rows[frame.number - 1], frame.source])
        marked = (labels == self._segments[frame.number - 1].label).view(np.uint8)
        return np.asarray(marked if self._type == "BINARY" else marked * np.uint8(MAX_FRACTION))

    @functools.cached_property
    def _numbers(self) -> NDArray[np.unsignedinteger]:
        """By label: the segment's number, which counts from 1 without a gap (PS3.3 C.8.20.2)."""
        table = np.zeros(max(one.label for one in self._segments) + 1, dtype=f"u{self.bits // 8}")
        table[[one.label for one in self._segments]] = np.arange(1, len(self._segments) + 1)
        return table


def describe_pixels(dataset: Dataset, planes: Planes, frames: Sequence[SegFrame]) -> None:
    """Write the Image Pixel module of the frames (PS3.3 C.8.20.2)."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = planes.bits
    dataset.HighBit, dataset.PixelRepresentation = planes.bits - 1, 0
    dataset.NumberOfFrames = len(frames)


def pixel_data(planes: Planes, frames: Sequence[SegFrame], compression: Compression) -> Iterator[bytes]:
    """Yield the Pixel Data element, header first, in pieces.

    Raises:
        ProofError: the compression cannot hold frames of this size.
    """
    if compression == "none":
        rows, columns = planes.of(frames[0]).shape
        length = -(-len(frames) * rows * columns * planes.bits // 8)
        yield _header("OW" if planes.bits == 16 else "OB", length + length % 2)
        yield from _native(planes, frames)
        yield b"\0" * (length % 2)
    else:
        yield _header("OB", _UNDEFINED)
        yield encapsulate([_compressed(planes, frame, SYNTAXES[compression]) for frame in frames])
        yield struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)  # the sequence's end


def _header(vr: str, length: int) -> bytes:
    return struct.pack("<HH2sHL", *_PIXEL_DATA, vr.encode(), 0, length)


def _native(planes: Planes, frames: Sequence[SegFrame]) -> Iterator[bytes]:
    if planes.bits > 1:
        yield from (planes.of(frame).tobytes() for frame in frames)
        return
    if planes.of(frames[0]).size % 8 == 0:
        yield from (np.packbits(planes.of(frame), bitorder="little").tobytes() for frame in frames)
        return
    for first in range(0, len(frames), _TOGETHER):
        bits = np.concatenate([planes.of(frame).ravel() for frame in frames[first : first + _TOGETHER]])
        yield np.packbits(bits, bitorder="little").tobytes()


def _compressed(planes: Planes, frame: SegFrame, syntax: UID) -> bytes:
    plane = planes.of(frame)
    if syntax != JPEG2000Lossless:
        return encode_frame(plane, syntax, planes.bits, planes.bits, "MONOCHROME2")
    if min(plane.shape) < _LEAST_JPEG_2000:
        raise ProofError(f"frames of {plane.shape} are too small for JPEG 2000: set the peer's seg_compression")
    one_bit = plane.astype(bool) if planes.bits == 1 else plane
    return bytes(encode_array(one_bit, bits_stored=planes.bits, photometric_interpretation=_GREY, use_mct=False))
