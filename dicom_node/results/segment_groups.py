"""Segments to measurement groups of a report: of volumes by segment (PS3.16 TID 1411), of images by outline (1410)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from highdicom.sr import (
    FindingSite,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)

from dicom_node.findings import Measurement, Segment, Segmentation
from dicom_node.results import concepts
from dicom_node.results.concepts import concept
from dicom_node.results.groups import Group, commented, measurement, region_of, source_images, tracking
from dicom_node.results.outlines import Part, parts
from dicom_node.results.provenance import report_algorithm
from dicom_node.results.request import Reference, Request
from dicom_node.results.seg import MadeSegmentation, present
from dicom_node.results.sources import Sources

MOST_PARTS = 20  # of one segment on one image that are outlined, the largest


@dataclasses.dataclass(frozen=True, slots=True)
class SegmentReference:
    """Where a segment was encoded."""

    instance: Reference
    number: int


References: TypeAlias = Mapping[str, SegmentReference]
"""By the segment's name; empty where no SEG is sent."""


def references_to(encoded: MadeSegmentation) -> Iterator[tuple[str, SegmentReference]]:
    """Yield where each segment of a SEG stands, by its name."""
    for number, segment in enumerate(encoded.segments, 1):
        yield segment.name, SegmentReference(encoded.reference, number)


def segment_groups(request: Request, references: References, sources: Sources) -> Iterator[Group]:
    """Say what each segment is and what was measured of it: of a volume once, else on each image that shows it."""
    for segmentation in request.findings.of(Segmentation):
        for segment in present(segmentation):
            if sources.planes is not None:
                yield _volume_group(request, segment, references.get(segment.name), sources)
                continue
            marked = segmentation.labels == segment.label
            for k in np.flatnonzero(marked.any(axis=(1, 2))):
                yield from _part_groups(request, segment, parts(marked[k]), int(k), sources)


def frame_label(sources: Sources, k: int) -> str:
    """Return by what the images of a stack are told apart in a finding's name; empty where there is one image."""
    return f", frame {sources.stack.frames[k].number or k + 1}" if len(sources.stack.frames) > 1 else ""


def part_names(segment: Segment, count: int, label: str) -> list[str]:
    """Return by what names the outlined parts of a segment on one image are tracked.

    The largest part of a single image is the finding that the SEG tracks: both bear one name.
    """
    name = f"{segment.name}{label}"
    return [name, *(f"{name}, part {n}" for n in range(2, min(count, MOST_PARTS) + 1))]


def _volume_group(request: Request, segment: Segment, reference: SegmentReference | None, sources: Sources) -> Group:
    measured = [one for one in request.findings.of(Measurement) if one.of == segment.name]
    common = _common(request, segment, segment.name, measured)
    if reference is None:
        return MeasurementsAndQualitativeEvaluations(source_images=source_images(sources), **common)
    return VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=_segment(reference, sources), **common)


def _part_groups(
    request: Request, segment: Segment, found: tuple[Part, ...], k: int, sources: Sources
) -> Iterator[Group]:
    """Yield a group for each part, the largest first, since a group holds one outline (PS3.16 TID 1410, Image Region).

    What was measured is of the whole segment on that image, and stands with the first part, which says so. A group has
    either an outline or a segment's frame.
    """
    frame = sources.stack.frames[k]
    measured = [one for one in request.findings.of(Measurement) if one.of == segment.name and one.frame in {None, k}]
    names = part_names(segment, len(found), frame_label(sources, k))
    for rank, (name, part) in enumerate(zip(names, found, strict=False)):
        group = PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_region=region_of(part.outline, frame),
            **_common(request, segment, name, [] if rank else measured),
        )
        yield commented(group, [*([] if rank else _whole(measured, len(found))), _holes(part)])


def _whole(measured: list[Measurement], count: int) -> Iterator[str]:
    """Say of how many parts the numbers are, and how many of these are outlined."""
    if count > 1 and measured:
        yield f"The numbers are of all {count} parts together"
    if count > MOST_PARTS:
        yield f"The {MOST_PARTS} largest of {count} parts are outlined"


def _holes(part: Part) -> str:
    return f"The outline encloses {part.holes} hole(s) that do not belong to the finding" if part.holes else ""


def _common(request: Request, segment: Segment, name: str, measured: list[Measurement]) -> dict[str, Any]:
    sites, evaluations = _sides(segment)
    return {
        "tracking_identifier": tracking(request, name),
        "finding_type": concept(segment.type),
        "finding_category": concept(segment.category),
        "algorithm_id": report_algorithm(request),
        "finding_sites": sites,
        "measurements": [measurement(one) for one in measured],
        "qualitative_evaluations": evaluations,
    }


def _sides(segment: Segment) -> tuple[list[FindingSite], list[QualitativeEvaluation]]:
    """Return the laterality as the site's modifier, or by itself where the segment is no anatomical site."""
    if segment.laterality is None:
        return [], []
    side = concept(segment.laterality)
    if segment.category == concepts.ANATOMICAL_STRUCTURE:
        return [FindingSite(concept(segment.type), side)], []
    return [], [QualitativeEvaluation(concept(concepts.LATERALITY), side)]


def _segment(reference: SegmentReference, sources: Sources) -> ReferencedSegment:
    return ReferencedSegment(
        reference.instance.sop_class_uid,
        reference.instance.sop_instance_uid,
        reference.number,
        source_series=SourceSeriesForSegmentation(sources.first.SeriesInstanceUID),
    )
