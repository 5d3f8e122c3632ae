"""The door of this room: a run's findings to proved DICOM files."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset

from dicom_node.config import OutputKind
from dicom_node.findings import ErasedImage, Segmentation
from dicom_node.results.groups import SegmentReference
from dicom_node.results.prove import Proof, prove
from dicom_node.results.provenance import finished
from dicom_node.results.request import EncodedFile, Request
from dicom_node.results.sc import encode_erased
from dicom_node.results.seg import encode_segmentation, present
from dicom_node.results.sources import Sources, read_sources
from dicom_node.results.sr import encode_refused, encode_report


def encode(request: Request, folder: Path) -> tuple[EncodedFile, ...]:
    """Write every wanted object to folder/<SOP Instance UID>.dcm, each read back and proved before it gets its name.

    A label map without any marked pixel gives no SEG; the SR says that nothing was found.

    Raises:
        ObjectError: a source cannot be read, or the sources are of different patients.
        ProofError: an object, read back, is not what was found.
    """
    request = dataclasses.replace(request, stack=request.findings.looked_at(request.stack))
    sources = read_sources(request.stack)
    segmentations = list(_segmentations(request, sources))
    files = [_keep("SEG", made, folder, Proof(request, sources, found)) for found, made in segmentations]
    if "SC" in request.outputs:
        for index, erased in enumerate(request.findings.of(ErasedImage)):
            made = encode_erased(request, erased, index, sources)
            files.append(_keep("SC", made, folder, Proof(request, sources, erased)))
    if "SR" in request.outputs:
        references = {name: one for found, made in segmentations for name, one in _references(found, made)}
        report = encode_report(request, sources, references, [made for _, made in segmentations])
        files.append(_keep("SR", report, folder, Proof(request, sources)))
    return tuple(files)


def encode_refusal(request: Request, reason: str, folder: Path) -> EncodedFile:
    """Write an SR that says that this stack was not run, and why; the request's findings hold nothing found.

    Raises:
        ObjectError: as for `encode`.
        ProofError: as for `encode`.
    """
    sources = read_sources(request.stack)
    return _keep("SR", encode_refused(request, reason, sources), folder, Proof(request, sources))


def _segmentations(request: Request, sources: Sources) -> Iterator[tuple[Segmentation, Dataset]]:
    if "SEG" in request.outputs:
        for index, found in enumerate(request.findings.of(Segmentation)):
            if present(found):
                yield found, encode_segmentation(request, found, index, sources)


def _references(found: Segmentation, made: Dataset) -> Iterator[tuple[str, SegmentReference]]:
    numbers = [_segment_number(made, groups) for groups in made.PerFrameFunctionalGroupsSequence]
    for number, segment in enumerate(present(found), 1):
        frames = tuple(k for k, one in enumerate(numbers, 1) if one == number)
        yield segment.name, SegmentReference(made.SOPClassUID, made.SOPInstanceUID, number, frames)


def _segment_number(made: Dataset, groups: Dataset) -> int:
    shared = made.SharedFunctionalGroupsSequence[0]
    holder = groups if "SegmentIdentificationSequence" in groups else shared
    return int(holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _keep(kind: OutputKind, made: Dataset, folder: Path, proof: Proof) -> EncodedFile:
    dataset, completed = finished(made, proof.request, kind, proof.sources)
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    part = path.with_suffix(".part")
    _write(dataset, part)
    try:
        prove(part, proof)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
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
    )


def _write(dataset: FileDataset, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        dataset.save_as(file, enforce_file_format=True)
        file.flush()
        os.fsync(file.fileno())
