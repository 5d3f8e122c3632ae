"""Findings to measurement groups of a report (PS3.16 TID 1501, 1410): answers, boxes and numbers of the whole image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from highdicom.sr import (
    GraphicTypeValues,
    ImageRegion,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from highdicom.sr import Measurement as MeasurementTemplate
from numpy.typing import NDArray

from dicom_node.errors import ProofError
from dicom_node.findings import Box, Classification, Detection, ErasedImage, Measurement, Segment, Segmentation
from dicom_node.images import Frame
from dicom_node.results import concepts
from dicom_node.results.concepts import concept
from dicom_node.results.digits import round_for_reading
from dicom_node.results.provenance import report_algorithm
from dicom_node.results.request import Request
from dicom_node.results.seg import present
from dicom_node.results.sources import Sources

Group: TypeAlias = (
    MeasurementsAndQualitativeEvaluations
    | PlanarROIMeasurementsAndQualitativeEvaluations
    | VolumetricROIMeasurementsAndQualitativeEvaluations
)


def image_groups(request: Request, sources: Sources) -> list[Group]:
    """Return the group of the numbers that no segment owns, if there are any; they hold for the whole image.

    The region of such numbers on a single image is its border (PS3.16 TID 1410); of a volume they are reported without
    a region (TID 1501).
    """
    loose = unowned(request)
    if not loose:
        return []
    measured = [measurement(one) for one in loose]
    algorithm = report_algorithm(request)
    tracked = tracking(request, "image")
    if len(sources.stack.frames) != 1:
        images = source_images(sources)
        return [
            MeasurementsAndQualitativeEvaluations(
                tracked, algorithm_id=algorithm, measurements=measured, source_images=images
            )
        ]
    frame = sources.stack.frames[0]
    region = region_of(outline_of(0, 0, int(sources.first.Columns), int(sources.first.Rows)), frame)
    return [
        PlanarROIMeasurementsAndQualitativeEvaluations(
            tracked, referenced_region=region, algorithm_id=algorithm, measurements=measured
        )
    ]


def unowned(request: Request) -> list[Measurement]:
    """Return the measurements of no segment that is reported."""
    named = {one.name for one in found_segments(request)}
    return [one for one in request.findings.of(Measurement) if one.of not in named]


def classification_group(request: Request, found: Classification, sources: Sources) -> Group:
    """Say the question, the answer, its probability, and what the header claims."""
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(request, found.name),
        algorithm_id=report_algorithm(request),
        measurements=[_probability(found.probability)],
        qualitative_evaluations=[QualitativeEvaluation(concept(found.concept), concept(found.answer))],
        source_images=source_images(sources),
    )
    claim = f"The header says: {found.claim}" if found.claim else ""
    return commented(group, [found.detail, claim])


def box_group(request: Request, box: Box, number: int, sources: Sources) -> Group:
    """Report a box that was detected, with its probability."""
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(request, f"{box.name} {number}"),
        referenced_region=_region(box, sources),
        finding_type=concept(box.code),
        algorithm_id=report_algorithm(request),
        measurements=[_probability(box.probability)],
    )


def erased_group(request: Request, box: Box, number: int, sources: Sources) -> Group:
    """Report a region that the altered image lacks: what was done, and no finding with a probability."""
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(request, f"erased {number}"),
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
    return region_of(outline(box), sources.stack.frames[0])


def region_of(points: NDArray[np.float64], frame: Frame) -> ImageRegion:
    """Return a closed outline, (points, 2) columns and rows, on a source frame (PS3.3 C.18.6.1.2)."""
    numbers = None if frame.number is None else [frame.number]
    image = SourceImageForRegion(frame.sop_class_uid, frame.sop_instance_uid, numbers)
    return ImageRegion(GraphicTypeValues.POLYLINE, points, image)


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


def outline(box: Box) -> NDArray[np.float64]:
    """Return the closed outline of a box, (5, 2) columns and rows."""
    return outline_of(box.x1, box.y1, box.x2, box.y2)


def outline_of(x1: float, y1: float, x2: float, y2: float) -> NDArray[np.float64]:
    """Return the closed outline of a rectangle between two columns and two rows, (5, 2) columns and rows."""
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)], dtype=np.float64)


def tracking(request: Request, name: str) -> TrackingIdentifier:
    """Return Tracking Identifier and UID of a finding (PS3.16 TID 4108)."""
    return TrackingIdentifier(request.tracking_uid(name), f"{request.findings.pipeline} {name}")


def measurement(found: Measurement) -> MeasurementTemplate:
    """Return a number with its unit (PS3.16 TID 1419)."""
    return MeasurementTemplate(concept(found.concept), round_for_reading(found.value, found.unit), concept(found.unit))


def _probability(value: float) -> MeasurementTemplate:
    stated = round_for_reading(value, concepts.NO_UNITS)
    return MeasurementTemplate(concept(concepts.PROBABILITY), stated, concept(concepts.NO_UNITS))


def source_images(sources: Sources) -> list[SourceImageForMeasurementGroup]:
    """Return every source, as that of a measurement group."""
    return [
        SourceImageForMeasurementGroup(header.SOPClassUID, uid, sources.frame_numbers(uid) or None)
        for uid, header in sources.headers.items()
    ]


def commented(group: Group, comments: Iterable[str]) -> Group:
    """Return a group with comments added."""
    for text in filter(None, comments):
        group[0].ContentSequence.append(comment(text))
    return group


def comment(text: str) -> TextContentItem:
    """Return a text for the reader as a content item."""
    return TextContentItem(concept(concepts.COMMENT), text, RelationshipTypeValues.CONTAINS)
