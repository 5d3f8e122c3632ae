"""Read a written SEG back: the same voxels, in the same place of the same patient, under the same names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from highdicom.io import ImageFileReader
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels, pixel_array

from dicom_node.config import Encoding
from dicom_node.errors import ProofError
from dicom_node.findings import Segment, Segmentation
from dicom_node.images import Frame
from dicom_node.results.prove_sides import prove_sides
from dicom_node.results.seg import present
from dicom_node.results.seg_places import CENTROID_TOLERANCE, Groups
from dicom_node.results.sources import Plane, Sources

_VOLUME_TOLERANCE = 1e-3
_CERTAIN = 255  # the greatest fraction


@dataclasses.dataclass(slots=True)
class _Sum:
    """Pixels counted, and the sum of their places: LPS mm, or column, row, 0 where there is no frame of reference.

    A fraction counts for so much of a pixel.
    """

    pixels: int = 0
    places: NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.zeros(3))

    def add(self, moment: _Moment, plane: Plane | None) -> None:
        if moment.pixels:
            here = np.array([moment.column, moment.row, 0.0])
            self.pixels += moment.pixels
            self.places += moment.pixels * (here if plane is None else plane.point(moment.row, moment.column))

    @property
    def centroid(self) -> NDArray[np.float64]:
        return self.places / self.pixels


@dataclasses.dataclass(frozen=True, slots=True)
class _Moment:
    """How many pixels one plane marks, and where their middle lies."""

    pixels: int
    row: float
    column: float


def _moment(values: NDArray[np.uint8]) -> _Moment:
    column, row, width, height = cv2.boundingRect(values)
    sums = cv2.moments(np.ascontiguousarray(values[row : row + height, column : column + width]))
    pixels = round(sums["m00"])
    return _Moment(pixels, row + sums["m01"] / max(pixels, 1), column + sums["m10"] / max(pixels, 1))


@dataclasses.dataclass(slots=True)
class _Compared:
    """One segment as written and as found."""

    written: _Sum = dataclasses.field(default_factory=_Sum)
    found: _Sum = dataclasses.field(default_factory=_Sum)
    common: int = 0

    def add(self, written: NDArray[np.uint8], found: NDArray[np.uint8], planes: tuple[Plane | None, ...]) -> None:
        """Take in a plane; `planes` are where it was written and where it was found."""
        moment = _moment(found)
        self.found.add(moment, planes[1])
        if np.array_equal(written, found):
            self.common += moment.pixels
            self.written.add(moment, planes[0])
        else:
            self.common += int(np.minimum(written, found).sum(dtype=np.int64))
            self.written.add(_moment(written), planes[0])

    @property
    def dice(self) -> float:
        return 2 * self.common / max(self.written.pixels + self.found.pixels, 1)


def prove_segmentation(path: Path, segmentation: Segmentation, encoding: Encoding, sources: Sources) -> None:
    """Check names, voxels, place, volume and sides.

    Raises:
        ProofError: naming what differs.
    """
    segments = present(segmentation)
    with ImageFileReader(path) as reader:
        dataset = reader.metadata
        _prove_names(dataset, segments)
        _prove_type(dataset, segmentation, encoding)
        _prove_space(dataset, sources)
        compared = _compared(reader, segmentation, segments, sources)
    for segment, one in zip(segments, compared, strict=True):
        where = f"{path.stem}: segment {segment.name}"
        if one.dice != 1.0:
            raise ProofError(f"{where}: Dice with what was found is {one.dice:.6f}, not 1")
        _prove_centroid(where, one, sources)
    _prove_volume(dataset, sources)
    prove_sides(path.stem, segments, [one.found.centroid for one in compared], sources)


def _compared(
    reader: ImageFileReader, segmentation: Segmentation, segments: Sequence[Segment], sources: Sources
) -> list[_Compared]:
    wanted = _Wanted(segmentation, segments, str(reader.metadata.SegmentationType))
    compared = [_Compared() for _ in segments]
    seen = set()
    for number, k, values, plane in _frames(reader, sources):
        seen.add((number, k))
        compared[number - 1].add(values, wanted.of(number, k), (plane, _source_plane(sources, k)))
    for number, k in wanted.marked() - seen:  # found, and written nowhere
        nothing = np.zeros(segmentation.labels.shape[1:], dtype=np.uint8)
        compared[number - 1].add(nothing, wanted.of(number, k), (None, _source_plane(sources, k)))
    return compared


class _Wanted:
    """What was found, as a frame of one segment on one slice should show it."""

    def __init__(self, segmentation: Segmentation, segments: Sequence[Segment], seg_type: str) -> None:
        self._labels = segmentation.labels
        self._segments = segments
        self._scale = np.uint8(_CERTAIN if seg_type == "FRACTIONAL" else 1)
        self._fractions = None
        if seg_type == "FRACTIONAL" and segmentation.probabilities is not None:
            self._fractions = [segmentation.probabilities[segmentation.segments.index(one)] for one in segments]

    def of(self, number: int, k: int) -> NDArray[np.uint8]:
        if self._fractions is not None:
            return np.asarray(self._fractions[number - 1][k], dtype=np.uint8)
        marked = self._labels[k] == self._segments[number - 1].label
        return np.asarray(marked.view(np.uint8) * self._scale)

    def marked(self) -> set[tuple[int, int]]:
        """Return the segment number and slice of every plane that marks anything."""
        numbers = {one.label: number for number, one in enumerate(self._segments, 1)}
        if self._fractions is not None:
            by_number = enumerate(self._fractions, 1)
            return {(number, k) for number, planes in by_number for k in range(len(planes)) if planes[k].any()}
        return {
            (numbers[int(label)], k)
            for k, labels in enumerate(self._labels)
            for label in np.flatnonzero(np.bincount(labels.ravel()))
            if label
        }


def _prove_names(dataset: Dataset, segments: tuple[Segment, ...]) -> None:
    written = [_name(item) for item in dataset.SegmentSequence if item.SegmentNumber]  # 0 is a map's background
    wanted = [
        (n, one.name, one.type.value, one.category.value, one.laterality.value if one.laterality else None)
        for n, one in enumerate(segments, 1)
    ]
    if written != wanted:
        raise ProofError(f"{dataset.SOPInstanceUID}: segments are {written}, found were {wanted}")


def _name(item: Dataset) -> tuple[int, str, str, str, str | None]:
    kind = item.SegmentedPropertyTypeCodeSequence[0]
    sides = kind.get("SegmentedPropertyTypeModifierCodeSequence")
    category = item.SegmentedPropertyCategoryCodeSequence[0].CodeValue
    side = sides[0].CodeValue if sides else None
    return int(item.SegmentNumber), item.SegmentLabel, kind.CodeValue, category, side


def _prove_type(dataset: Dataset, segmentation: Segmentation, encoding: Encoding) -> None:
    written = [dataset.SegmentationType]
    wanted: list[Any] = [encoding.seg_type]
    if encoding.seg_type == "FRACTIONAL":
        written += [dataset.SegmentationFractionalType, dataset.MaximumFractionalValue]
        wanted += ["OCCUPANCY" if segmentation.probabilities is None else "PROBABILITY", _CERTAIN]
    if written != wanted:
        raise ProofError(f"{dataset.SOPInstanceUID}: its values are {written}, wanted were {wanted}")


def _prove_space(dataset: Dataset, sources: Sources) -> None:
    written = dataset.get("FrameOfReferenceUID")
    wanted = None if sources.planes is None else sources.first.FrameOfReferenceUID
    if written != wanted:
        raise ProofError(f"{dataset.SOPInstanceUID}: its frame of reference is {written}, the source's {wanted}")
    if sources.planes is None and sources.spacing_mm is not None:
        spacing = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
        if not np.allclose(spacing, sources.spacing_mm, rtol=1e-6):
            raise ProofError(f"{dataset.SOPInstanceUID}: its pixel spacing is not the source's")


def _frames(reader: ImageFileReader, sources: Sources) -> Iterator[tuple[int, int, NDArray[np.uint8], Plane | None]]:
    """Yield the segment's number, the index of the source frame there, values and plane of each segment and frame."""
    dataset, seen = reader.metadata, set()
    groups = Groups(dataset, sources)
    for n, (item, pixels) in enumerate(zip(dataset.PerFrameFunctionalGroupsSequence, _pixels(reader), strict=True), 1):
        where = f"{dataset.SOPInstanceUID}: frame {n}"
        k, plane = groups.place(where, item)
        _prove_citation(where, groups.cited(item), sources.stack.frames[k])
        for number, values in _segments_of(pixels, groups.number(item)):
            if (number, k) in seen:
                raise ProofError(f"{where}: a second frame of segment {number} in one place")
            seen.add((number, k))
            yield number, k, values, plane


def _pixels(reader: ImageFileReader) -> Iterator[NDArray[Any]]:
    """Yield the frames as stored; such of bits that end inside a byte are only read all together."""
    dataset = reader.metadata
    if reader.transfer_syntax_uid.is_encapsulated:
        yield from map(reader.read_frame, range(int(dataset.NumberOfFrames)))
    elif dataset.BitsAllocated == 1 and dataset.Rows * dataset.Columns % 8:
        yield from pixel_array(reader.filename).reshape(-1, dataset.Rows, dataset.Columns)
    else:
        yield from iter_pixels(reader.filename)


def _segments_of(pixels: NDArray[Any], number: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield one frame's segment, or each that a label map's frame marks."""
    if number:
        yield number, pixels.astype(np.uint8, copy=False)
        return
    for one in np.flatnonzero(np.bincount(pixels.ravel())):
        if one:
            yield int(one), (pixels == one).view(np.uint8)


def _prove_citation(where: str, cited: tuple[str, int | None], frame: Frame) -> None:
    if cited != (frame.sop_instance_uid, frame.number):
        raise ProofError(f"{where}: cites {cited}, lies on {(frame.sop_instance_uid, frame.number)}")


def _source_plane(sources: Sources, k: int) -> Plane | None:
    return None if sources.planes is None else sources.planes[k]


def _prove_centroid(where: str, one: _Compared, sources: Sources) -> None:
    edge, unit = (1.0, "pixels") if sources.planes is None else (sources.smallest_edge_mm, "mm")
    distance = float(np.linalg.norm(one.written.centroid - one.found.centroid))
    if distance > CENTROID_TOLERANCE * edge:
        raise ProofError(f"{where}: its centroid lies {distance:.3f} {unit} from what was found")


def _prove_volume(dataset: Dataset, sources: Sources) -> None:
    """Compare a voxel's size, since the voxels themselves are proved equal."""
    if sources.planes is None:
        return
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    written = [*map(float, measures.PixelSpacing)]
    wanted = [*sources.planes[0].spacing_mm]
    if sources.gap_mm is not None:
        written.append(float(measures.get("SpacingBetweenSlices") or np.nan))
        wanted.append(sources.gap_mm)
    if not abs(np.prod(written) / np.prod(wanted) - 1) <= _VOLUME_TOLERANCE:
        raise ProofError(f"{dataset.SOPInstanceUID}: a voxel is {written} mm, the source's {wanted} mm")
