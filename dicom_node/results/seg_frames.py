"""Which frames a SEG has, and their functional groups as bytes: thousands of data sets would take longer than all else.

Frames of several segments on one source frame differ in nothing but the segment's number.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from dicom_node.config import SegType
from dicom_node.findings import Code, Segment, Segmentation
from dicom_node.results.concepts import PROCESSED_FROM, concept
from dicom_node.results.sources import Sources, decimal, referred

_SEGMENTED = Code("113076", "DCM", "Segmentation")  # CID 7203
_TO_FIRST_VALUE = 12 + 8 + 8  # bytes: headers of a sequence, of its item, and of the item's first element
_NUMBER_BYTES = 4  # of a dimension index value

SEGMENT, POSITION, LABEL = "ReferencedSegmentNumber", "ImagePositionPatient", "FrameLabel"


@dataclasses.dataclass(frozen=True, slots=True)
class SegFrame:
    """One frame: a segment on one source frame; number 0, all segments, in a LABELMAP."""

    number: int
    source: int  # index in the stack


def planned(
    segmentation: Segmentation, segments: Sequence[Segment], seg_type: SegType, *, keep_empty: bool
) -> tuple[SegFrame, ...]:
    """Return the frames in the order in which they are written: segment by segment, slice by slice."""
    marked = _marked(segmentation, segments, seg_type)
    first = 0 if seg_type == "LABELMAP" else 1
    rows, slices = marked.shape
    every = ((row, k) for row in range(rows) for k in range(slices))
    return tuple(SegFrame(row + first, k) for row, k in every if keep_empty or marked[row, k])


def _marked(segmentation: Segmentation, segments: Sequence[Segment], seg_type: SegType) -> NDArray[np.bool_]:
    """Return (segments, slices), one row in all for a LABELMAP: where a frame is not empty."""
    if seg_type == "LABELMAP":
        return np.asarray(segmentation.labels.any(axis=(1, 2)))[None]
    if seg_type == "FRACTIONAL" and segmentation.probabilities is not None:
        places = [segmentation.segments.index(one) for one in segments]
        return np.array([segmentation.probabilities[place].any(axis=(1, 2)) for place in places])
    counts = counted(segmentation.labels)
    return np.asarray(counts[:, [one.label for one in segments]].T > 0)


def counted(labels: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
    """Return (slices, labels): how many pixels of each slice bear each label."""
    highest = int(labels.max(initial=0)) + 1
    return np.array([np.bincount(plane.ravel(), minlength=highest) for plane in labels])


def dimensions(seg_type: SegType, sources: Sources) -> tuple[tuple[str, str], ...]:
    """Return what the dimension index values count, each with its functional group (PS3.3 C.7.6.17)."""
    place = (POSITION, "PlanePositionSequence") if sources.planes else (LABEL, "FrameContentSequence")
    return (place,) if seg_type == "LABELMAP" else ((SEGMENT, "SegmentIdentificationSequence"), place)


def per_frame_groups(frames: Sequence[SegFrame], sources: Sources) -> bytes:
    """Return the items of the Per-Frame Functional Groups Sequence in explicit little endian (PS3.3 C.7.6.16.1.2)."""
    ranks = _ranks(sorted({frame.source for frame in frames}), sources)
    labelmap = not frames[0].number
    around = {k: _slice_groups(sources, k, rank, labelmap=labelmap) for k, rank in ranks.items()}
    ends = {number: _identification(number) for number in {frame.number for frame in frames}}
    return b"".join(_item(around[frame.source], frame.number, ends[frame.number]) for frame in frames)


def _ranks(used: Sequence[int], sources: Sources) -> dict[int, int]:
    """Number the places from 1 in the order in which they lie along the slices' normal."""
    if sources.planes is None:
        return {k: rank for rank, k in enumerate(used, 1)}
    along = sources.positions @ sources.planes[0].normal
    return {k: rank for rank, k in enumerate(sorted(used, key=lambda k: float(along[k])), 1)}


def _slice_groups(sources: Sources, k: int, rank: int, *, labelmap: bool) -> tuple[bytes, bytes]:
    """Return what stands before and after the segment's number in every frame that lies on one source frame."""
    content, derived, position = Dataset(), Dataset(), Dataset()
    content.DimensionIndexValues = [rank] if labelmap else [0, rank]
    derived.DerivationImageSequence = [_derivation(sources, k)]
    if sources.planes is None:
        content.FrameLabel = f"Frame {sources.stack.frames[k].number or k + 1}"
    else:
        place = Dataset()
        place.ImagePositionPatient = [decimal(value) for value in sources.planes[k].position]
        position.PlanePositionSequence = [place]
    holder = Dataset()
    holder.FrameContentSequence = [content]
    start, middle = _encoded(derived), _encoded(holder)
    if labelmap:
        return start + middle, _encoded(position)
    end = _TO_FIRST_VALUE + _NUMBER_BYTES
    return start + middle[:_TO_FIRST_VALUE], middle[end:] + _encoded(position)


def _derivation(sources: Sources, k: int) -> Dataset:
    source, item = referred(sources.stack.frames[k]), Dataset()
    source.SpatialLocationsPreserved = "YES"
    source.PurposeOfReferenceCodeSequence = [concept(PROCESSED_FROM)]
    item.SourceImageSequence = [source]
    item.DerivationCodeSequence = [concept(_SEGMENTED)]
    return item


def _identification(number: int) -> bytes:
    if not number:
        return b""
    item, holder = Dataset(), Dataset()
    item.ReferencedSegmentNumber = number
    holder.SegmentIdentificationSequence = [item]
    return _encoded(holder)


def _item(around: tuple[bytes, bytes], number: int, end: bytes) -> bytes:
    middle = struct.pack("<L", number) if number else b""
    body = around[0] + middle + around[1] + end
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(body)) + body


def _encoded(dataset: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, dataset)
    return bytes(buffer.getvalue())
