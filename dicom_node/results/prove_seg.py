"""Read a written SEG back: the same voxels, in the same place of the same patient, under the same names."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_node.errors import ProofError
from dicom_node.findings import Segment, Segmentation
from dicom_node.images import Frame
from dicom_node.results.concepts import LEFT, RIGHT
from dicom_node.results.seg import present
from dicom_node.results.sources import Plane, Sources, plane_of

_VOLUME_TOLERANCE = 1e-3
_CENTROID_TOLERANCE = 0.5  # of the smallest voxel edge


@dataclasses.dataclass(slots=True)
class _Sum:
    """Pixels counted, and the sum of their places: LPS mm, or column, row, 0 where there is no frame of reference."""

    pixels: int = 0
    places: NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.zeros(3))

    def add(self, mask: NDArray[np.bool_], plane: Plane | None) -> None:
        count = int(np.count_nonzero(mask))
        if count:
            row = float(mask.sum(axis=1) @ np.arange(mask.shape[0])) / count
            column = float(mask.sum(axis=0) @ np.arange(mask.shape[1])) / count
            self.pixels += count
            self.places += count * (np.array([column, row, 0.0]) if plane is None else plane.point(row, column))

    @property
    def centroid(self) -> NDArray[np.float64]:
        return self.places / self.pixels


def prove_segmentation(dataset: Dataset, segmentation: Segmentation, sources: Sources) -> None:
    """Check names, voxels, place, volume and sides.

    Raises:
        ProofError: naming what differs.
    """
    uid, segments = dataset.SOPInstanceUID, present(segmentation)
    _prove_names(dataset, segments)
    _prove_space(dataset, sources)
    written = {number: _Sum() for number in range(1, len(segments) + 1)}
    found = {number: _Sum() for number in written}
    common = dict.fromkeys(written, 0)
    for number, k, mask, plane in _frames(dataset, sources):
        common[number] += int(np.count_nonzero(mask & (segmentation.labels[k] == segments[number - 1].label)))
        written[number].add(mask, plane)
    for k, labels in enumerate(segmentation.labels):
        plane = None if sources.planes is None else sources.planes[k]
        for number, segment in enumerate(segments, 1):
            found[number].add(labels == segment.label, plane)
    for number, segment in enumerate(segments, 1):
        where = f"{uid}: segment {segment.name}"
        dice = 2 * common[number] / (written[number].pixels + found[number].pixels)
        if dice != 1.0:
            raise ProofError(f"{where}: Dice with what was found is {dice:.6f}, not 1")
        _prove_centroid(where, written[number], found[number], sources)
    _prove_volume(dataset, sources)
    _prove_sides(uid, segments, {n: one.centroid for n, one in found.items()}, sources)


def _prove_names(dataset: Dataset, segments: tuple[Segment, ...]) -> None:
    written = [_name(item) for item in dataset.SegmentSequence]
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


def _prove_space(dataset: Dataset, sources: Sources) -> None:
    written = dataset.get("FrameOfReferenceUID")
    wanted = None if sources.planes is None else sources.first.FrameOfReferenceUID
    if written != wanted:
        raise ProofError(f"{dataset.SOPInstanceUID}: its frame of reference is {written}, the source's {wanted}")


def _frames(dataset: Dataset, sources: Sources) -> Iterator[tuple[int, int, NDArray[np.bool_], Plane | None]]:
    """Yield each frame's segment number, the index of the source frame at its place, its pixels and its plane."""
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    seen = set()
    for n, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence, 1):
        where = f"{dataset.SOPInstanceUID}: frame {n}"
        plane = None if sources.planes is None else plane_of(dataset, n)
        number = _segment_number(dataset, groups)
        k = _source_index(where, plane, sources)
        if (number, k) in seen:
            raise ProofError(f"{where}: a second frame of segment {number} in one place")
        seen.add((number, k))
        _prove_citation(where, groups, sources.stack.frames[k])
        yield number, k, pixels[n - 1].astype(bool), plane


def _segment_number(dataset: Dataset, groups: Dataset) -> int:
    holders = (groups, dataset.SharedFunctionalGroupsSequence[0])
    holder = next(one for one in holders if "SegmentIdentificationSequence" in one)
    return int(holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _source_index(where: str, plane: Plane | None, sources: Sources) -> int:
    if sources.planes is None:
        return 0
    if plane is None:
        raise ProofError(f"{where}: has no plane")
    distances = np.linalg.norm(sources.positions - plane.position, axis=1)
    k = int(np.argmin(distances))
    if distances[k] > _CENTROID_TOLERANCE * sources.smallest_edge_mm:
        raise ProofError(f"{where}: lies {distances[k]:.3f} mm from the nearest source frame")
    return k


def _prove_citation(where: str, groups: Dataset, frame: Frame) -> None:
    cited = groups.DerivationImageSequence[0].SourceImageSequence[0]
    written = (cited.ReferencedSOPInstanceUID, cited.get("ReferencedFrameNumber"))
    if written != (frame.sop_instance_uid, frame.number):
        raise ProofError(f"{where}: cites {written}, lies on {(frame.sop_instance_uid, frame.number)}")


def _prove_centroid(where: str, written: _Sum, found: _Sum, sources: Sources) -> None:
    edge, unit = (1.0, "pixels") if sources.planes is None else (sources.smallest_edge_mm, "mm")
    distance = float(np.linalg.norm(written.centroid - found.centroid))
    if distance > _CENTROID_TOLERANCE * edge:
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


def _prove_sides(
    uid: str, segments: tuple[Segment, ...], centroids: dict[int, NDArray[np.float64]], sources: Sources
) -> None:
    """Check that of two segments of one kind the left one lies to the patient's left."""
    sided = [(one, centroids[n]) for n, one in enumerate(segments, 1)]
    lefts = [pair for pair in sided if _side(pair[0]) == LEFT]
    rights = [pair for pair in sided if _side(pair[0]) == RIGHT]
    if not lefts and not rights:
        return
    leftward = _leftward(uid, sources)
    for (left, here), (right, there) in itertools.product(lefts, rights):
        if left.type == right.type and (here[0] - there[0]) * leftward <= 0:
            raise ProofError(f"{uid}: {left.name} does not lie to the patient's left of {right.name}")


def _side(segment: Segment) -> str:
    return segment.laterality.value if segment.laterality else ""


def _leftward(uid: str, sources: Sources) -> float:
    """Return 1.0 where the first coordinate grows to the patient's left, -1.0 where it grows to the right."""
    if sources.planes is not None:
        return 1.0
    row = str((sources.first.get("PatientOrientation") or [""])[0])
    if ("L" in row) == ("R" in row):
        raise ProofError(f"{uid}: names left and right, but PatientOrientation does not say where they are")
    return 1.0 if "L" in row else -1.0
