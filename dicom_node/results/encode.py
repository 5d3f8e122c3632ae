"""The door of this room: a run's findings to proved DICOM files."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom.errors import BytesLengthException

from dicom_node.config import OutputKind
from dicom_node.errors import ObjectError, ProofError
from dicom_node.findings import ErasedImage, Segmentation
from dicom_node.results.captures import encode_overlays
from dicom_node.results.ko import Rejection, encode_key_images
from dicom_node.results.ko import encode_rejection as rejection_note
from dicom_node.results.page.encode import Page, encode_document, encode_page, make_page, make_refused_page
from dicom_node.results.pr import encode_states
from dicom_node.results.prove import Proof, Subject, prove
from dicom_node.results.provenance import finished
from dicom_node.results.request import EncodedFile, Reference, Request
from dicom_node.results.sc import encode_erased
from dicom_node.results.seg import MadeSegmentation, encode_segmentation, present
from dicom_node.results.segment_groups import references_to
from dicom_node.results.sources import Sources, read_sources
from dicom_node.results.sr import encode_refused, encode_report
from dicom_node.results.writing import Made, write

_UNWRITABLE = (BytesLengthException, OverflowError, UnicodeError, struct.error)
"""What pydicom raises for a header's value that cannot be read or written again."""


def encode(request: Request, folder: Path) -> tuple[EncodedFile, ...]:
    """Write every wanted object to folder/<SOP Instance UID>.dcm, each read back and proved before it gets its name.

    A label map without any marked pixel gives no SEG; the SR says that nothing was found.

    Raises:
        ObjectError: a source cannot be read, or the sources are of different patients.
        ProofError: an object, read back, is not what was found, or names sides that a mark on the image contradicts.
    """
    _refuse_doubted_sides(request)
    request = dataclasses.replace(request, stack=request.findings.looked_at(request.stack))
    with _naming_source(request):
        sources = read_sources(request.stack)
        proofs = ((kind, made, Proof(request, sources, of)) for kind, made, of in _made(request, sources))
        return tuple(_keep(kind, made, folder, proof) for kind, made, proof in proofs)


def encode_refusal(request: Request, reason: str, folder: Path) -> tuple[EncodedFile, ...]:
    """Write an SR, and a page where one is wanted, that say that this stack was not run, and why.

    The request's findings hold nothing found.

    Raises:
        ObjectError: as for `encode`.
        ProofError: as for `encode`.
    """
    with _naming_source(request):
        sources = read_sources(request.stack)
        page = make_refused_page(request, sources, reason)
        made = [*_pages(request, sources, page, f"refusal {reason}")]
        made.append(("SR", Made(encode_refused(request, reason, sources)), None))
        return tuple(_keep(kind, one, folder, Proof(request, sources, of)) for kind, one, of in made)


def encode_rejection(
    request: Request, replaced: Sequence[Reference], reason: Rejection, folder: Path, *, because: str = ""
) -> EncodedFile:
    """Write a note that asks to hide results: those that this run replaces, or `because` of something else.

    Raises:
        ObjectError: as for `encode`.
        ProofError: as for `encode`.
    """
    with _naming_source(request):
        sources = read_sources(request.stack)
        made = Made(rejection_note(request, sources, replaced, reason, because), series="rejection")
        return _keep("KO", made, folder, Proof(request, sources, tuple(replaced)))


@contextmanager
def _naming_source(request: Request) -> Iterator[None]:
    """Turn what a spoilt header raises while a result takes after it into an ObjectError that names the object."""
    try:
        yield
    except OSError:  # the disk is full
        raise
    except _UNWRITABLE as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise ObjectError(request.stack.frames[0].sop_instance_uid, f"no result can take after it: {said}") from error


def _refuse_doubted_sides(request: Request) -> None:
    doubts = (*request.doubts, *request.findings.doubts)
    if doubts and request.findings.names_sides:
        raise ProofError(f"names left and right, but {doubts[0]}")


def _made(request: Request, sources: Sources) -> Iterator[tuple[OutputKind, Made, Subject]]:
    """Yield every wanted object with what it is to be held against."""
    segmentations = list(_segmentations(request, sources))
    for found, one in segmentations:
        yield "SEG", one.made, found
    if "SC" in request.outputs:
        yield from _pictures(request, sources)
    if "PR" in request.outputs:
        for state in encode_states(request, sources):
            yield "PR", Made(state), None
    if "KO" in request.outputs:
        keys = encode_key_images(request, sources)
        if keys is not None:
            yield "KO", Made(keys), None
    if {"PAGE", "PDF"} & set(request.outputs):
        yield from _pages(request, sources, make_page(request, sources))
    if "SR" in request.outputs:
        references = {name: reference for _, one in segmentations for name, reference in references_to(one)}
        yield "SR", Made(encode_report(request, sources, references)), None


def _segmentations(request: Request, sources: Sources) -> Iterator[tuple[Segmentation, MadeSegmentation]]:
    if "SEG" in request.outputs:
        for index, found in enumerate(request.findings.of(Segmentation)):
            if present(found):
                yield found, encode_segmentation(request, found, index, sources)


def _pictures(request: Request, sources: Sources) -> Iterator[tuple[OutputKind, Made, Subject]]:
    for index, erased in enumerate(request.findings.of(ErasedImage)):
        yield "SC", Made(encode_erased(request, erased, index, sources)), erased
    if request.findings.of(Segmentation):
        for captured, made in encode_overlays(request, sources):
            yield "SC", made, captured


def _pages(
    request: Request, sources: Sources, page: Page, detail: str = ""
) -> Iterator[tuple[OutputKind, Made, Subject]]:
    if "PAGE" in request.outputs:
        yield "PAGE", encode_page(request, sources, page, detail), page
    if "PDF" in request.outputs:
        document, made = encode_document(request, sources, page, detail)
        yield "PDF", made, document


def _keep(kind: OutputKind, made: Made, folder: Path, proof: Proof) -> EncodedFile:
    dataset, completed = finished(made, proof.request, kind, proof.sources)
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    part = path.with_suffix(".part")
    try:
        digest = write(dataset, made.tail(), part)
        prove(part, proof)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return EncodedFile(
        path=path,
        kind=kind,
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        sha256=digest,
        completed=completed,
        left_out=proof.sources.left_out,
    )
