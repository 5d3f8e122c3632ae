"""Reports: every run's findings, or why there was no run, as Comprehensive 3D SR (PS3.3 A.35.13, PS3.16 TID 1500)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from highdicom.sr import (
    CodeContentItem,
    Comprehensive3DSR,
    ComprehensiveSR,
    ContainerContentItem,
    ContentSequence,
    ImageContentItem,
    MeasurementReport,
    NumContentItem,
    RelationshipTypeValues,
    UIDRefContentItem,
)
from pydicom.dataset import Dataset

from dicom_node.findings import Classification, Code, Measurement, Remark, Segmentation
from dicom_node.results import concepts, groups, provenance
from dicom_node.results.concepts import concept
from dicom_node.results.groups import Group, References
from dicom_node.results.request import Reference, Request
from dicom_node.results.seg import present
from dicom_node.results.sources import Sources, evidence

_CLASSES = {"comprehensive 3d": Comprehensive3DSR, "comprehensive": ComprehensiveSR}
_CONTAINS = RelationshipTypeValues.CONTAINS
_CONTEXT = RelationshipTypeValues.HAS_ACQ_CONTEXT


def encode_report(request: Request, sources: Sources, references: References) -> Dataset:
    """Encode everything found; `references` say where the segments stand that the groups cite."""
    found = request.findings
    summary = _summary(request)
    body = [groups.status_group(request, summary, _comments(request, summary), sources)]
    body += [groups.classification_group(request, one, sources) for one in found.of(Classification)]
    for segment in groups.found_segments(request):
        body += groups.segment_groups(request, segment, references, sources)
    boxes, erased = groups.detected_boxes(request), groups.erased_boxes(request)
    body += [groups.box_group(request, box, number, sources) for number, box in enumerate(boxes, 1)]
    body += [groups.erased_group(request, box, number, sources) for number, box in enumerate(erased, 1)]
    cited = tuple(dict.fromkeys(one.instance for one in references.values()))
    return _document(request, sources, body, cited)


def encode_refused(request: Request, reason: str, sources: Sources) -> Dataset:
    """Encode that nothing was run, or that what was found is not delivered, and why."""
    was_run = reason.lower().startswith("not delivered")
    text = reason if was_run or reason.lower().startswith("not run") else f"Not run, because {reason}"
    status = concepts.NONE_SUCCEEDED if was_run else concepts.NOT_ATTEMPTED
    body = [groups.status_group(request, status, [text], sources)]
    return _document(request, sources, body, (), f"refusal {text}")


def _summary(request: Request) -> Code:
    found = request.findings
    seen = groups.found_segments(request) or groups.found_boxes(request) or found.of(Classification)
    only_numbers = bool(found.of(Measurement)) and not found.of(Segmentation)
    return concepts.WITH_FINDINGS if seen or only_numbers else concepts.WITHOUT_FINDINGS


def _comments(request: Request, summary: Code) -> Iterator[str]:
    if summary == concepts.WITHOUT_FINDINGS:
        yield "Nothing found"
    for segmentation in request.findings.of(Segmentation):
        here = present(segmentation)
        missing = [one.name for one in segmentation.segments if one not in here]
        if missing:
            yield f"Not found: {', '.join(missing)}"
    for remark in request.findings.of(Remark):
        yield remark.text


def _document(
    request: Request, sources: Sources, body: list[Group], evidence: Sequence[Reference], detail: str = ""
) -> Dataset:
    modality = str(sources.first.get("Modality", ""))
    report = MeasurementReport(
        observation_context=provenance.observer(request),
        procedure_reported=concept(concepts.PROCEDURES.get(modality, concepts.OTHER_PROCEDURE)),
        imaging_measurements=body,
    )
    content = report[0].ContentSequence
    content.insert(len(content) - 1, _image_library(sources, modality))  # TID 1500 row 8, before the measurements
    document: Dataset = _CLASSES[request.encoding.sr_class](
        evidence=list(_evidence(sources, evidence)),
        content=report[0],
        series_instance_uid=request.uid("series", "SR"),
        series_number=provenance.SERIES["SR"].number,
        sop_instance_uid=request.uid("result", "SR", detail=detail),
        instance_number=1,
        manufacturer=provenance.MANUFACTURER,
        is_complete=True,
        previous_versions=_predecessors(request, sources),
    )
    return document


def _evidence(sources: Sources, results: Sequence[Reference]) -> Iterator[Dataset]:
    """Return what the encoder asks of each object that is cited; the patient is stamped on later."""
    for uid, header in sources.headers.items():
        yield evidence(Reference(header.SOPClassUID, uid, header.SeriesInstanceUID), sources)
    for result in results:
        yield evidence(result, sources)


def _predecessors(request: Request, sources: Sources) -> list[Dataset] | None:
    if request.replaces is None:
        return None
    item = Dataset()
    item.StudyInstanceUID = sources.first.StudyInstanceUID
    item.SeriesInstanceUID = request.replaces.series_instance_uid
    item.SOPClassUID = request.replaces.sop_class_uid
    item.SOPInstanceUID = request.replaces.sop_instance_uid
    return [item]


def _image_library(sources: Sources, modality: str) -> ContainerContentItem:
    """List the images used; what they share is said once for all (PS3.16 TID 1600, 1602)."""
    names = concept(Code("126200", "DCM", "Image Library Group")), concept(Code("111028", "DCM", "Image Library"))
    group = ContainerContentItem(names[0], relationship_type=_CONTAINS)
    group.ContentSequence = ContentSequence([*_shared(sources, modality), *_entries(sources)])
    library = ContainerContentItem(
        concept(Code("111028", "DCM", "Image Library")), relationship_type=_CONTAINS, template_id="1600"
    )
    library.ContentSequence = ContentSequence([group])
    return library


def _shared(sources: Sources, modality: str) -> Iterator[CodeContentItem | UIDRefContentItem | NumContentItem]:
    first = sources.first
    kind = concepts.MODALITIES.get(modality, concepts.OTHER_MODALITY)
    yield CodeContentItem(concept(Code("121139", "DCM", "Modality")), concept(kind), _CONTEXT)
    if sources.planes is not None:
        name = concept(Code("112227", "DCM", "Frame of Reference UID"))
        yield UIDRefContentItem(name, first.FrameOfReferenceUID, _CONTEXT)
    rows, columns = Code("110910", "DCM", "Pixel Data Rows"), Code("110911", "DCM", "Pixel Data Columns")
    for size, value in ((rows, first.get("Rows")), (columns, first.get("Columns"))):
        if value is not None:
            yield NumContentItem(concept(size), int(value), concept(concepts.PIXELS), relationship_type=_CONTEXT)


def _entries(sources: Sources) -> Iterator[ImageContentItem]:
    for uid, header in sources.headers.items():
        yield ImageContentItem(
            concept(concepts.SOURCE),
            header.SOPClassUID,
            uid,
            referenced_frame_numbers=sources.frame_numbers(uid) or None,
            relationship_type=_CONTAINS,
        )
