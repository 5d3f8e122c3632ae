"""Key object selections: the images to look at first, and what a re-run hides (PS3.3 A.35.4, PS3.16 TID 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.dataset import Dataset

from dicom_node.findings import Code
from dicom_node.results import provenance
from dicom_node.results.concepts import concept
from dicom_node.results.outlines import Drawn, drawn
from dicom_node.results.request import Reference, Request
from dicom_node.results.sources import Sources, evidence

Rejection: TypeAlias = Literal["quality", "safety"]
"""Why a result is hidden."""

OF_INTEREST = Code("113000", "DCM", "Of Interest")  # CID 7010
REJECTED: dict[Rejection, Code] = {  # CID 7011
    "quality": Code("113001", "DCM", "Rejected for Quality Reasons"),
    "safety": Code("113037", "DCM", "Rejected for Patient Safety Reasons"),
}


def key_frames(request: Request) -> dict[int, tuple[str, ...]]:
    """Return, by index in the stack, what has its largest extent there."""
    largest: dict[str, Drawn] = {}
    for one in drawn(request):
        if one.name not in largest or one.pixels > largest[one.name].pixels:
            largest[one.name] = one
    frames: dict[int, tuple[str, ...]] = {}
    for one in sorted(largest.values(), key=lambda one: one.frame):
        frames[one.frame] = (*frames.get(one.frame, ()), one.name)
    return frames


def encode_key_images(request: Request, sources: Sources) -> Dataset | None:
    """Select the images on which each thing found is largest; None where nothing has a place."""
    frames = key_frames(request)
    if not frames:
        return None
    names = "; ".join(f"{', '.join(what)}: image {k + 1}" for k, what in frames.items())
    numbers: dict[str, list[int]] = {}
    for frame in (sources.stack.frames[k] for k in frames):
        numbers.setdefault(frame.sop_instance_uid, []).extend(filter(None, [frame.number]))
    objects = [_image(uid, sources) for uid in numbers]
    content = _content(request, OF_INTEREST, objects, f"AI, not for diagnosis. Largest extent of {names}")
    for item in content[0].ContentSequence:
        if item.ValueType == "IMAGE":
            reference = item.ReferencedSOPSequence[0]
            if numbers[reference.ReferencedSOPInstanceUID]:
                reference.ReferencedFrameNumber = numbers[reference.ReferencedSOPInstanceUID]
    return _document(request, objects, content)


def encode_rejection(
    request: Request, sources: Sources, replaced: Sequence[Reference], reason: Rejection, because: str = ""
) -> Dataset:
    """Ask that results be hidden (IHE RAD TF-1, IOCM); where no other reason is given, a re-run replaces them."""
    objects = [evidence(one, sources) for one in replaced]
    text = because or f"Replaced by a later run of {request.findings.pipeline} {request.findings.version}"
    content = _content(request, REJECTED[reason], objects, text)
    return _document(request, objects, content, " ".join(["rejection", *sorted(one.SOPInstanceUID for one in objects)]))


def _image(uid: str, sources: Sources) -> Dataset:
    """Return a source as evidence; with a size, so that it is cited as an image."""
    header = sources.headers[uid]
    item = evidence(Reference(header.SOPClassUID, uid, header.SeriesInstanceUID), sources)
    item.Rows, item.Columns = header.Rows, header.Columns
    return item


def _content(request: Request, title: Code, objects: Sequence[Dataset], text: str) -> KeyObjectSelection:
    device = provenance.device_context(request)
    return KeyObjectSelection(concept(title), objects, observer_device_context=device, description=text)


def _document(request: Request, objects: Sequence[Dataset], content: KeyObjectSelection, detail: str = "") -> Dataset:
    document: Dataset = KeyObjectSelectionDocument(
        evidence=objects,
        content=content,
        series_instance_uid=request.uid("series", "KO", detail=detail),
        series_number=provenance.SERIES["KO"].number,
        sop_instance_uid=request.uid("result", "KO", detail=detail),
        instance_number=1,
        manufacturer=provenance.MANUFACTURER,
    )
    return document
