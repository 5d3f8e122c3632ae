"""Findings to measurement groups of a report (PS3.16 TID 1501, 1410, 1411)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from highdicom.sr import (
    FindingSite,
    GraphicTypeValues,
    ImageRegion,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    ReferencedSegmentationFrame,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    SourceImageForSegmentation,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from highdicom.sr import Measurement as MeasurementTemplate

from dicom_node.errors import ProofError
from dicom_node.findings import Box, Classification, Code, Detection, ErasedImage, Measurement, Segment, Segmentation
from dicom_node.results import concepts
from dicom_node.results.concepts import concept
from dicom_node.results.digits import round_for_reading
from dicom_node.results.provenance import report_algorithm
from dicom_node.results.request import Reference, Request
from dicom_node.results.seg import MadeSegmentation, present
from dicom_node.results.sources import Sources

Group: TypeAlias = (
    MeasurementsAndQualitativeEvaluations
    | PlanarROIMeasurementsAndQualitativeEvaluations
    | VolumetricROIMeasurementsAndQualitativeEvaluations
)


@dataclasses.dataclass(frozen=True, slots=True)
class SegmentReference:
    """Where a segment was encoded."""

    instance: Reference
    number: int
    frames: Mapping[int, int]  # index in the stack -> number of the SEG's frame there, from 1
    alone: bool  # whether these frames show no other segment


References: TypeAlias = Mapping[str, SegmentReference]
"""By the segment's name; empty where no SEG is sent."""


def references_to(encoded: MadeSegmentation) -> Iterator[tuple[str, SegmentReference]]:
    """Yield where each segment of a SEG stands, by its name."""
    for number, segment in enumerate(encoded.segments, 1):
        frames = {one.source: n for n, one in enumerate(encoded.frames, 1) if one.number in {0, number}}
        yield segment.name, SegmentReference(encoded.reference, number, frames, bool(encoded.frames[0].number))


def status_group(request: Request, summary: Code, comments: Iterable[str], sources: Sources) -> Group:
    """Say how the run ended, with what the reader must know beside it."""
    named = {one.name for one in found_segments(request)}
    loose = [one for one in request.findings.of(Measurement) if one.of not in named]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(request, "run"),
        algorithm_id=report_algorithm(request),
        measurements=[_measured(one) for one in loose],
        qualitative_evaluations=[QualitativeEvaluation(concept(concepts.SUMMARY), concept(summary))],
        source_images=_images(sources),
    )
    return _commented(group, [*comments, *(f"{one.concept.meaning} is of {one.of}" for one in loose if one.of)])


def classification_group(request: Request, found: Classification, sources: Sources) -> Group:
    """Say the question, the answer, its probability, and what the header claims."""
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(request, found.name),
        algorithm_id=report_algorithm(request),
        measurements=[_probability(found.probability)],
        qualitative_evaluations=[QualitativeEvaluation(concept(found.concept), concept(found.answer))],
        source_images=_images(sources),
    )
    claim = f"The header says: {found.claim}" if found.claim else ""
    return _commented(group, [found.detail, claim])


def box_group(request: Request, box: Box, number: int, sources: Sources) -> Group:
    """Report a box that was detected, with its probability."""
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(request, f"{box.name} {number}"),
        referenced_region=_region(box, sources),
        finding_type=concept(box.code),
        algorithm_id=report_algorithm(request),
        measurements=[_probability(box.probability)],
    )


def erased_group(request: Request, box: Box, number: int, sources: Sources) -> Group:
    """Report a region that the altered image lacks: what was done, and no finding with a probability."""
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(request, f"erased {number}"),
        referenced_region=_region(box, sources),
        finding_type=concept(concepts.ERASED),
        algorithm_id=report_algorithm(request),
    )


def _region(box: Box, sources: Sources) -> ImageRegion:
    """Outline a box by its edges, zero being the first pixel's outer corner (PS3.3 C.18.6.1.1).

    Raises:
        ProofError: the stack has several frames, and a box does not say which one it lies on.
    """
    if len(sources.stack.frames) != 1:
        raise ProofError(f"a box needs a stack of one frame, got {len(sources.stack.frames)}")
    frame = sources.stack.frames[0]
    numbers = None if frame.number is None else [frame.number]
    image = SourceImageForRegion(frame.sop_class_uid, frame.sop_instance_uid, numbers)
    return ImageRegion(GraphicTypeValues.POLYLINE, outline(box), image)


def segment_groups(request: Request, segment: Segment, references: References, sources: Sources) -> Iterator[Group]:
    """Say what a segment is and what was measured of it, citing the SEG where there is one; a film's frame by frame."""
    reference = references.get(segment.name)
    if sources.planes is not None or len(sources.stack.frames) == 1:
        yield _segment_group(request, segment, reference, sources)
        return
    for segmentation in request.findings.of(Segmentation):
        if segment in segmentation.segments:
            for k in np.flatnonzero((segmentation.labels == segment.label).any(axis=(1, 2))):
                yield _segment_group(request, segment, reference, sources, int(k))


def _segment_group(
    request: Request, segment: Segment, reference: SegmentReference | None, sources: Sources, k: int | None = None
) -> Group:
    """Return the group of a segment on the frame of that index in the stack; None: on all."""
    measured = [one for one in request.findings.of(Measurement) if one.of == segment.name]
    sites, evaluations = _sides(segment)
    common: dict[str, Any] = {
        "tracking_identifier": _tracking(request, segment.name),
        "finding_type": concept(segment.type),
        "finding_category": concept(segment.category),
        "algorithm_id": report_algorithm(request),
        "finding_sites": sites,
        "measurements": [_measured(one) for one in measured if k is None or one.frame in {None, k}],
        "qualitative_evaluations": evaluations,
    }
    if reference is None:
        return MeasurementsAndQualitativeEvaluations(source_images=_images(sources, k), **common)
    if sources.planes is None:
        cited = _segment_frame(reference, sources, k)
        return PlanarROIMeasurementsAndQualitativeEvaluations(referenced_segment=cited, **common)
    return VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=_segment(reference, sources), **common)


def found_segments(request: Request) -> tuple[Segment, ...]:
    """Return every segment that marks at least one pixel."""
    return tuple(one for segmentation in request.findings.of(Segmentation) for one in present(segmentation))


def found_boxes(request: Request) -> tuple[Box, ...]:
    """Return every box that was found, once; where only an altered image tells of them, those erased in it."""
    holders = request.findings.of(Detection) or request.findings.of(ErasedImage)
    return tuple(dict.fromkeys(box for holder in holders for box in holder.boxes))


def detected_boxes(request: Request) -> tuple[Box, ...]:
    """Return the boxes that are findings of their own, with a probability."""
    return tuple(dict.fromkeys(box for found in request.findings.of(Detection) for box in found.boxes))


def erased_boxes(request: Request) -> tuple[Box, ...]:
    """Return the regions that an altered image lacks."""
    return tuple(dict.fromkeys(box for found in request.findings.of(ErasedImage) for box in found.boxes))


def outline(box: Box) -> np.ndarray:
    """Return the closed outline of a box, (5, 2) columns and rows."""
    corners = [(box.x1, box.y1), (box.x2, box.y1), (box.x2, box.y2), (box.x1, box.y2), (box.x1, box.y1)]
    return np.array(corners, dtype=np.float64)


def _tracking(request: Request, name: str) -> TrackingIdentifier:
    return TrackingIdentifier(request.tracking_uid(name), f"{request.findings.pipeline} {name}")


def _measured(found: Measurement) -> MeasurementTemplate:
    return MeasurementTemplate(concept(found.concept), round_for_reading(found.value, found.unit), concept(found.unit))


def _probability(value: float) -> MeasurementTemplate:
    stated = round_for_reading(value, concepts.NO_UNITS)
    return MeasurementTemplate(concept(concepts.PROBABILITY), stated, concept(concepts.NO_UNITS))


def _sides(segment: Segment) -> tuple[list[FindingSite], list[QualitativeEvaluation]]:
    """Return the laterality as the site's modifier, or by itself where the segment is no anatomical site."""
    if segment.laterality is None:
        return [], []
    side = concept(segment.laterality)
    if segment.category == concepts.ANATOMICAL_STRUCTURE:
        return [FindingSite(concept(segment.type), side)], []
    return [], [QualitativeEvaluation(concept(concepts.LATERALITY), side)]


def _images(sources: Sources, k: int | None = None) -> list[SourceImageForMeasurementGroup]:
    """Return every source, or the one frame of that index in the stack."""
    if k is not None:
        frame = sources.stack.frames[k]
        numbers = None if frame.number is None else [frame.number]
        return [SourceImageForMeasurementGroup(frame.sop_class_uid, frame.sop_instance_uid, numbers)]
    return [
        SourceImageForMeasurementGroup(header.SOPClassUID, uid, sources.frame_numbers(uid) or None)
        for uid, header in sources.headers.items()
    ]


def _segment(reference: SegmentReference, sources: Sources) -> ReferencedSegment:
    return ReferencedSegment(
        reference.instance.sop_class_uid,
        reference.instance.sop_instance_uid,
        reference.number,
        source_series=SourceSeriesForSegmentation(sources.first.SeriesInstanceUID),
    )


def _segment_frame(reference: SegmentReference, sources: Sources, k: int | None) -> ReferencedSegmentationFrame:
    frame = sources.stack.frames[k or 0]
    numbers = None if frame.number is None else [frame.number]
    image = SourceImageForSegmentation(frame.sop_class_uid, frame.sop_instance_uid, numbers)
    cited = ReferencedSegmentationFrame(
        reference.instance.sop_class_uid,
        reference.instance.sop_instance_uid,
        reference.frames[k or 0],
        reference.number,
        image,
    )
    # a frame of one segment says which by itself, and the number shall not stand beside the frame's (PS3.3 10.3)
    needless = "ReferencedSegmentNumber" if reference.alone or k is not None else "ReferencedFrameNumber"
    del cited[0].ReferencedSOPSequence[0][needless]
    return cited


def _commented(group: Group, comments: Iterable[str]) -> Group:
    for text in filter(None, comments):
        item = TextContentItem(concept(concepts.COMMENT), text, RelationshipTypeValues.CONTAINS)
        group[0].ContentSequence.append(item)
    return group
