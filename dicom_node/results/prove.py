"""Read a written object back and compare it with what was found; what does not agree must not leave."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicom_node.errors import ProofError
from dicom_node.findings import Classification, Code, ErasedImage, Measurement, Segmentation
from dicom_node.results import sc
from dicom_node.results.captures import Captured
from dicom_node.results.digits import round_for_reading
from dicom_node.results.groups import erased_boxes, found_boxes, outline
from dicom_node.results.page.encode import Document, Page
from dicom_node.results.page.prove import prove_document, prove_page
from dicom_node.results.patient import copied, differing
from dicom_node.results.prove_drawn import prove_overlay, prove_selection, prove_state
from dicom_node.results.prove_regions import prove_regions
from dicom_node.results.prove_seg import prove_segmentation
from dicom_node.results.request import Reference, Request
from dicom_node.results.sources import Sources, read_pixels

Subject: TypeAlias = Segmentation | ErasedImage | Captured | Page | Document | tuple[Reference, ...] | None
"""What an object alone encodes: a finding, the frames drawn on, a page, results; None: all that was found."""


@dataclasses.dataclass(frozen=True, slots=True)
class Proof:
    """What a written object is held against."""

    request: Request
    sources: Sources
    of: Subject = None


def prove(path: Path, proof: Proof) -> None:
    """Check one file.

    Raises:
        ProofError: naming what differs.
    """
    prove_patient(path, proof.sources)
    request, sources, of = proof.request, proof.sources, proof.of
    if isinstance(of, Segmentation):
        prove_segmentation(path, of, request.encoding, sources)
        return
    dataset = dcmread(path)
    if isinstance(of, ErasedImage):
        prove_erased(dataset, of, sources)
    elif isinstance(of, Captured):
        prove_overlay(dataset, request, of, sources)
    elif isinstance(of, Page):
        prove_page(dataset, of, request, sources)
    elif isinstance(of, Document):
        prove_document(dataset, of, request, sources)
    elif dataset.Modality == "PR":
        prove_state(dataset, request, sources)
    elif dataset.Modality == "KO":
        prove_selection(dataset, request, of, sources)
    else:
        prove_report(dataset, request)
        prove_regions(dataset, request, sources)


def prove_patient(path: Path, sources: Sources) -> None:
    """Check that patient and study are the source's, byte for byte.

    Raises:
        ProofError: naming the attributes that differ, never their values.
    """
    names = differing(sources.identity, copied(dcmread(path, stop_before_pixels=True)))
    if names:
        raise ProofError(f"{path.stem}: differs from its source in {', '.join(names)}")


def prove_erased(dataset: Dataset, erased: ErasedImage, sources: Sources) -> None:
    """Check that only pixels inside the boxes were altered, and that they mean the same grey as before.

    Raises:
        ProofError: naming the attribute, or how many pixels differ.
    """
    for element in (*sc.described(sources.first), *sources.sides(dataset)):
        if not _same(dataset, element):
            raise ProofError(f"{dataset.SOPInstanceUID}: {element.keyword} is not the source's")
    written, original = dataset.pixel_array, read_pixels(sources.stack.frames[0])
    if not np.array_equal(written, erased.stored):
        raise ProofError(f"{dataset.SOPInstanceUID}: the pixels are not the altered image's")
    strayed = int(np.count_nonzero((written != original) & ~_inside(erased, original.shape)))
    if strayed:
        raise ProofError(f"{dataset.SOPInstanceUID}: {strayed} pixels outside the boxes differ from the source")


def prove_report(dataset: Dataset, request: Request) -> None:
    """Check that every answer, every number and every box stands in the report.

    Raises:
        ProofError: naming the one that is missing.
    """
    uid, items = dataset.SOPInstanceUID, list(_items(dataset))
    answers = {(_concept(item), _code(item.ConceptCodeSequence[0])) for item in items if item.ValueType == "CODE"}
    numbers = {(_concept(item), *_number(item)) for item in items if item.ValueType == "NUM"}
    outlines = [np.array(item.GraphicData) for item in items if item.ValueType == "SCOORD"]
    for found in request.findings.of(Classification):
        if (_key(found.concept), _key(found.answer)) not in answers:
            raise ProofError(f"{uid}: the report lacks the answer to {found.name}")
    for found in request.findings.of(Measurement):
        stated = round_for_reading(found.value, found.unit)
        if (_key(found.concept), stated, _key(found.unit)) not in numbers:
            raise ProofError(f"{uid}: the report lacks the {found.concept.meaning} of {found.of or 'the image'}")
    for box in (*found_boxes(request), *erased_boxes(request)):
        if not any(np.allclose(one, outline(box).ravel(), atol=1e-3) for one in outlines):
            raise ProofError(f"{uid}: the report lacks the box {box.name}")


def _same(dataset: Dataset, element: DataElement) -> bool:
    """Say whether a data set has an element's value; written empty, it is read back as another kind of empty."""
    if element.tag not in dataset:
        return False
    written = dataset[element.tag]
    return written.is_empty if element.is_empty else bool(written.value == element.value)


def _inside(erased: ErasedImage, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    inside = np.zeros(shape, dtype=bool)
    for box in erased.boxes:
        rows = slice(max(0, int(np.floor(box.y1))), int(np.ceil(box.y2)))
        columns = slice(max(0, int(np.floor(box.x1))), int(np.ceil(box.x2)))
        inside[rows, columns] = True
    return inside


def _items(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from _items(child)


def _concept(item: Dataset) -> tuple[str, str]:
    return _code(item.ConceptNameCodeSequence[0])


def _number(item: Dataset) -> tuple[float, tuple[str, str]]:
    measured = item.MeasuredValueSequence[0]
    return float(measured.get("FloatingPointValue", measured.NumericValue)), _code(
        measured.MeasurementUnitsCodeSequence[0]
    )


def _code(item: Dataset) -> tuple[str, str]:
    return item.get("CodeValue") or item.get("LongCodeValue"), item.CodingSchemeDesignator


def _key(code: Code) -> tuple[str, str]:
    return code.value, code.scheme
