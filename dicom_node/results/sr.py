"""Reports: every run's findings, or why there was no run, as Comprehensive 3D SR (PS3.3 A.35.13, PS3.16 TID 1500)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from highdicom.sr import (
    CodeContentItem,
    Comprehensive3DSR,
    ComprehensiveSR,
    ContainerContentItem,
    ContentSequence,
    ImageContentItem,
    LanguageOfContentItemAndDescendants,
    NumContentItem,
    RelationshipTypeValues,
    UIDRefContentItem,
)
from pydicom.dataset import Dataset

from dicom_node.findings import Classification, Code, Measurement, Remark, Segmentation
from dicom_node.results import concepts, groups, provenance
from dicom_node.results.concepts import concept
from dicom_node.results.groups import Group
from dicom_node.results.provenance import report_algorithm
from dicom_node.results.request import Reference, Request
from dicom_node.results.seg import present
from dicom_node.results.segment_groups import References, segment_groups
from dicom_node.results.sources import Sources, evidence

_PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")
_CLASSES = {"comprehensive 3d": Comprehensive3DSR, "comprehensive": ComprehensiveSR}
_CONTAINS = RelationshipTypeValues.CONTAINS
_CONTEXT = RelationshipTypeValues.HAS_ACQ_CONTEXT


@dataclasses.dataclass(frozen=True, slots=True)
class _Content:
    """What a report says of its images."""

    body: Sequence[Group]
    evaluations: ContainerContentItem  # how the run ended


def encode_report(request: Request, sources: Sources, references: References) -> Dataset:
    """Encode everything found; `references` say where the segments stand that the groups cite."""
    found = request.findings
    body = groups.image_groups(request, sources)
    body += [groups.classification_group(request, one, sources) for one in found.of(Classification)]
    body += segment_groups(request, references, sources)
    boxes, erased = groups.detected_boxes(request), groups.erased_boxes(request)
    body += [groups.box_group(request, box, number, sources) for number, box in enumerate(boxes, 1)]
    body += [groups.erased_group(request, box, number, sources) for number, box in enumerate(erased, 1)]
    summary = _summary(request)
    ended = _evaluations(request, summary, _comments(request, summary))
    cited = tuple(dict.fromkeys(one.instance for one in references.values()))
    return _document(request, sources, _Content(body, ended), cited)


def encode_refused(request: Request, reason: str, sources: Sources) -> Dataset:
    """Encode that nothing was run, or that what was found is not delivered, and why."""
    was_run = reason.lower().startswith("not delivered")
    text = reason if was_run or reason.lower().startswith("not run") else f"Not run, because {reason}"
    status = concepts.NONE_SUCCEEDED if was_run else concepts.NOT_ATTEMPTED
    return _document(request, sources, _Content([], _evaluations(request, status, [text])), (), f"refusal {text}")


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
    for loose in groups.unowned(request):
        if loose.of:
            yield f"{loose.concept.meaning} is of {loose.of}"
    for remark in request.findings.of(Remark):
        yield remark.text


def _evaluations(request: Request, summary: Code, comments: Iterable[str]) -> ContainerContentItem:
    """Say how the run ended, by which algorithm, with what the reader must know beside it (PS3.16 TID 1500, row 12).

    No measurement group says so: viewers take each of them for something that they can draw.
    """
    container = _container(concepts.QUALITATIVE_EVALUATIONS)
    ended = CodeContentItem(concept(concepts.SUMMARY), concept(summary), _CONTAINS)
    texts = [groups.comment(text) for text in comments if text]
    container.ContentSequence = ContentSequence([*report_algorithm(request), ended, *texts])
    return container


def _measurements(body: Sequence[Group]) -> Iterator[ContainerContentItem]:
    """Yield the container of the measurement groups; without any it stays away (PS3.16 TID 1500, row 6)."""
    if body:
        container = _container(concepts.IMAGING_MEASUREMENTS)
        container.ContentSequence = ContentSequence([item for group in body for item in group])
        yield container


def _container(name: Code) -> ContainerContentItem:
    return ContainerContentItem(concept(name), relationship_type=_CONTAINS)


def _document(
    request: Request, sources: Sources, content: _Content, evidence: Sequence[Reference], detail: str = ""
) -> Dataset:
    document: Dataset = _CLASSES[request.encoding.sr_class](
        evidence=list(_evidence(sources, evidence)),
        content=_root(request, sources, content),
        series_instance_uid=request.uid("series", "SR"),
        series_number=provenance.SERIES["SR"].number,
        sop_instance_uid=request.uid("result", "SR", detail=detail),
        instance_number=1,
        manufacturer=provenance.MANUFACTURER,
        is_complete=True,
        previous_versions=_predecessors(request, sources),
    )
    return document


def _root(request: Request, sources: Sources, content: _Content) -> ContainerContentItem:
    """Return the root of the content tree, its rows in the template's order (PS3.16 TID 1500)."""
    modality = str(sources.first.get("Modality", ""))
    procedure = concept(concepts.PROCEDURES.get(modality, concepts.OTHER_PROCEDURE))
    root = ContainerContentItem(concept(_title(request, content.body)), template_id="1500")
    items = [
        *LanguageOfContentItemAndDescendants(concept(concepts.ENGLISH)),
        *provenance.observer(request),
        CodeContentItem(concept(_PROCEDURE_REPORTED), procedure, RelationshipTypeValues.HAS_CONCEPT_MOD),
        _image_library(sources, modality),
        *_measurements(content.body),
        content.evaluations,
    ]
    root.ContentSequence = ContentSequence(items)
    return root


def _title(request: Request, body: Sequence[Group]) -> Code:
    """Return the document's title (PS3.16 CID 7021).

    "auto" is for OHIF: it draws the groups of an Imaging Measurement Report, shows nothing at all where one of them has
    no outline, and shows a report of another title as text.
    """
    wanted = request.encoding.sr_title
    if wanted != "auto":
        return concepts.TITLES[wanted]
    is_drawn = [any(item.ValueType == "SCOORD" for item in group[0].ContentSequence) for group in body]
    return concepts.TITLES["126000" if body and all(is_drawn) else "126001"]


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
