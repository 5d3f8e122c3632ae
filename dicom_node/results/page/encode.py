"""A page as Secondary Capture, of several sheets as a multi-frame one, and as Encapsulated PDF (PS3.3 A.8, A.45.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    EncapsulatedPDFStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.findings import Code
from dicom_node.results.concepts import PROCESSED_FROM, concept
from dicom_node.results.overlay import pictures
from dicom_node.results.page.content import Content, page_content, refused_content
from dicom_node.results.page.header import side_letters, stretch
from dicom_node.results.page.layout import WIDTH, Sheet, Shown, lay_out
from dicom_node.results.page.paint import Pixels, paint
from dicom_node.results.page.pdf import write_pdf
from dicom_node.results.provenance import is_writable, local_time
from dicom_node.results.request import Request
from dicom_node.results.sc import state
from dicom_node.results.sources import Sources, referred
from dicom_node.results.writing import Made

_TITLE: Final = Code("126000", "DCM", "Imaging Measurement Report")  # CID 7021
_LABEL_VECTOR: Final = Tag("FrameLabelVector")
_ASCII: Final = str.maketrans("²³", "23")
_COMMENTS_AT_MOST: Final = 10240  # characters of a Long Text (PS3.5 6.2)


@dataclasses.dataclass(frozen=True)
class Page:
    """What a page says, and the pictures on it as viewers show them."""

    content: Content
    comments: str  # every text of the page but the patient's, as an attribute
    pixels: Pixels
    shown: Shown

    @cached_property
    def sheets(self) -> tuple[Sheet, ...]:
        """The page laid out."""
        return lay_out(self.content, self.shown)


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A page as a PDF."""

    page: Page
    pdf: bytes


def make_page(request: Request, sources: Sources) -> Page:
    """Return the page of a run that was done."""
    content = page_content(request, sources)
    said = _comments(content, lambda: page_content(_english(request), sources), sources)
    frames = [one.frame for one in content.pictures]
    pixels = dict(zip(frames, pictures(sources, frames), strict=True))
    rows, columns = next(iter(pixels.values())).shape[:2]
    return Page(content, said, pixels, Shown(rows * stretch(sources) / columns, side_letters(sources, frames[0])))


def make_refused_page(request: Request, sources: Sources, reason: str) -> Page:
    """Return the page of a run that was not made; it shows no picture, since none may be readable."""
    content = refused_content(request, sources, reason)
    said = _comments(content, lambda: refused_content(_english(request), sources, reason), sources)
    return Page(content, said, {}, Shown(1.0))


def encode_page(request: Request, sources: Sources, page: Page, detail: str = "") -> Made:
    """Encode a page as true colour pictures; `detail` tells pages of one run apart."""
    result, sheets = _captured(request, sources, page), [paint(sheet, page.pixels) for sheet in page.sheets]
    result.SOPInstanceUID = request.uid("result", "PAGE", detail=detail)
    if len(sheets) > 1:
        result.SOPClassUID = MultiFrameTrueColorSecondaryCaptureImageStorage
        result.NumberOfFrames, result.FrameIncrementPointer = len(sheets), _LABEL_VECTOR
        result.FrameLabelVector = [f"page {number}" for number in range(1, len(sheets) + 1)]
        _group(result, len(sheets))
    else:
        result.SOPClassUID = SecondaryCaptureImageStorage
    result.Rows, result.Columns = page.sheets[0].height, WIDTH
    result.add_new("PixelData", "OB", _bytes(sheets))
    return Made(result)


def encode_document(request: Request, sources: Sources, page: Page, detail: str = "") -> tuple[Document, Made]:
    """Encode a page as Encapsulated PDF."""
    title = f"{page.content.title}: {page.content.research}"
    document, result = Document(page, write_pdf(page.sheets, page.pixels, title)), Dataset()
    result.SOPClassUID, result.SOPInstanceUID = EncapsulatedPDFStorage, request.uid("result", "PDF", detail=detail)
    result.Modality, result.ConversionType, result.InstanceNumber = "DOC", "WSD", 1
    result.AcquisitionDateTime = f"{local_time(request.at, sources):%Y%m%d%H%M%S.%f}"
    result.BurnedInAnnotation = "YES"
    result.DocumentTitle = f"AI {request.title}: research use, not for diagnosis"
    result.ConceptNameCodeSequence = [concept(_TITLE)]
    result.SourceInstanceSequence = list(sources.references())
    result.MIMETypeOfEncapsulatedDocument = "application/pdf"
    result.EncapsulatedDocumentLength = len(document.pdf)
    result.EncapsulatedDocument = document.pdf + b"\0" * (len(document.pdf) % 2)
    return document, Made(result)


def _comments(content: Content, in_english: Callable[[], Content], sources: Sources) -> str:
    """Return what a page says as a Long Text: in English where the source's character set lacks the page's letters."""
    text = "\r\n".join(content.lines)
    if not is_writable(text, sources):
        text = "\r\n".join(in_english().lines).translate(_ASCII)
    return text[:_COMMENTS_AT_MOST]


def _english(request: Request) -> Request:
    return dataclasses.replace(request, encoding=request.encoding.model_copy(update={"page_language": "en"}))


def _captured(request: Request, sources: Sources, page: Page) -> Dataset:
    """Return what a page states of itself; it lies nowhere in the patient, and nothing can be measured on it."""
    result = Dataset()
    result.update(state(sources.first))
    result.update(sources.sides(result))
    result.PatientOrientation = None
    result.Modality, result.ConversionType = request.encoding.sc_modality, "WSD"
    result.ImageType, result.InstanceNumber = ["DERIVED", "SECONDARY"], 1
    result.BurnedInAnnotation = "YES"
    found = request.findings
    result.DerivationDescription = f"Page of findings by {found.pipeline} {found.version}; not for diagnosis"
    if page.pixels:
        result.SourceImageSequence = [_source(sources, k) for k in page.pixels]
    result.ImageComments = page.comments
    result.SamplesPerPixel, result.PhotometricInterpretation, result.PlanarConfiguration = 3, "RGB", 0
    result.BitsAllocated = result.BitsStored = 8
    result.HighBit, result.PixelRepresentation = 7, 0
    return result


def _group(result: Dataset, sheets: int) -> None:
    """Say that the sheets share nothing that lies in the patient (PS3.3 A.8.5.4)."""
    result.SharedFunctionalGroupsSequence = [Dataset()]
    result.PerFrameFunctionalGroupsSequence = [Dataset() for _ in range(sheets)]


def _source(sources: Sources, k: int) -> Dataset:
    source = referred(sources.stack.frames[k])
    source.PurposeOfReferenceCodeSequence = [concept(PROCESSED_FROM)]
    return source


def _bytes(sheets: Sequence[NDArray[np.uint8]]) -> bytes:
    data = b"".join(sheet.tobytes() for sheet in sheets)
    return data + b"\0" * (len(data) % 2)
