"""Read a page back: nothing but outlines may differ from its sheets, and each outline lies where the finding does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels

from dicom_node.errors import ProofError
from dicom_node.findings import Segment, Segmentation
from dicom_node.results.groups import found_boxes
from dicom_node.results.page.encode import Document, Page
from dicom_node.results.page.layout import Image
from dicom_node.results.page.paint import THICKNESS, paint
from dicom_node.results.prove_sides import prove_sides
from dicom_node.results.request import Request
from dicom_node.results.seg import present
from dicom_node.results.sources import Sources

_WHOLLY = 0.999  # of a picture's pixel that a mask covers, less what rounding leaves
_Mask: TypeAlias = tuple[str, NDArray[np.bool_]]
"""A finding's name, and where it lies (rows, columns) on a frame."""


def prove_page(dataset: Dataset, page: Page, request: Request, sources: Sources) -> None:
    """Check a page's texts, its pictures, and that its outlines are the findings'.

    Raises:
        ProofError: naming what differs.
    """
    uid = dataset.SOPInstanceUID
    prove_named_sides(uid, request, sources)
    if int(dataset.get("NumberOfFrames") or 1) != len(page.sheets):
        raise ProofError(f"{uid}: it has {dataset.get('NumberOfFrames')} frames, not {len(page.sheets)}")
    for number, (written, sheet) in enumerate(zip(iter_pixels(dataset), page.sheets, strict=True), 1):
        where, plain = f"{uid}, frame {number}", paint(sheet, page.pixels, outlined=False)
        if written.shape != plain.shape:
            raise ProofError(f"{where}: its size is {written.shape}, not {plain.shape}")
        changed = (written != plain).any(axis=2)
        for image in (item for item in sheet.items if isinstance(item, Image)):
            place = image.place
            masks = list(_masks(request, image.picture.frame, page.pixels[image.picture.frame].shape[:2]))
            _prove_outlines(f"{where}, {image.picture.name}", changed[place], masks)
            changed[place] = False
        if changed.any():
            raise ProofError(f"{where}: {int(changed.sum())} pixels beside its pictures are not what was laid out")


def prove_document(dataset: Dataset, document: Document, request: Request, sources: Sources) -> None:
    """Check that a PDF was kept byte for byte, of the length that it states.

    Raises:
        ProofError: naming what differs.
    """
    prove_named_sides(dataset.SOPInstanceUID, request, sources)
    length = int(dataset.EncapsulatedDocumentLength)
    if length != len(document.pdf) or dataset.EncapsulatedDocument[:length] != document.pdf:
        raise ProofError(f"{dataset.SOPInstanceUID}: its document is not the one that was made")


def prove_named_sides(uid: str, request: Request, sources: Sources) -> None:
    """Check that what a page calls left lies to the patient's left.

    Raises:
        ProofError: naming the segment.
    """
    for found in request.findings.of(Segmentation):
        segments = present(found)
        if any(segment.laterality for segment in segments):
            prove_sides(uid, segments, [_centroid(found, segment, sources) for segment in segments], sources)


def _centroid(found: Segmentation, segment: Segment, sources: Sources) -> NDArray[np.float64]:
    """Return the middle of a segment in LPS mm, or column, row, 0 where there is no frame of reference."""
    total, pixels = np.zeros(3), 0
    for k, labels in enumerate(found.labels):
        rows, columns = np.nonzero(labels == segment.label)
        if rows.size:
            row, column = float(rows.mean()), float(columns.mean())
            middle = np.array([column, row, 0.0]) if sources.planes is None else sources.planes[k].point(row, column)
            total, pixels = total + rows.size * middle, pixels + rows.size
    return np.asarray(total / pixels, dtype=np.float64)


def _prove_outlines(where: str, changed: NDArray[np.bool_], masks: Sequence[_Mask]) -> None:
    """Hold what differs from a picture against the edges of the masks found on its frame."""
    allowed = np.zeros(changed.shape, dtype=bool)
    for name, mask in masks:
        edge = _edge(mask, changed.shape)
        allowed |= edge
        if not (changed & edge).any():
            raise ProofError(f"{where}: {name} is not drawn")
    strayed = int(np.count_nonzero(changed & ~allowed))
    if strayed:
        raise ProofError(f"{where}: {strayed} pixels away from outlines differ from the source")


def _masks(request: Request, k: int, shape: tuple[int, ...]) -> Iterator[_Mask]:
    """Yield name and mask (rows, columns) of all that was found on the frame of that index in the stack."""
    for found in request.findings.of(Segmentation):
        for segment in present(found):
            mask = found.labels[k] == segment.label
            if mask.any():
                yield segment.name, mask
    for box in found_boxes(request):
        mask = np.zeros(shape, dtype=bool)
        rows = slice(int(box.y1), max(int(np.ceil(box.y2)), int(box.y1) + 1))
        mask[rows, int(box.x1) : max(int(np.ceil(box.x2)), int(box.x1) + 1)] = True
        yield box.name, mask


def _edge(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return where on a picture (rows, columns) the outline of a mask may be drawn: a pixel of the source from it."""
    scale = max(shape[0] / mask.shape[0], shape[1] / mask.shape[1])
    reach = int(np.ceil(max(scale, 1))) + THICKNESS + 1
    how = cv2.INTER_NEAREST if scale >= 1 else cv2.INTER_AREA  # so that no pixel is lost in a smaller picture
    covered = np.pad(cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=how), reach)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    partly, wholly = (covered > 0).astype(np.uint8), (covered > _WHOLLY).astype(np.uint8)
    edge = cv2.dilate(partly, kernel) != cv2.erode(wholly, kernel)
    return np.asarray(edge[reach:-reach, reach:-reach])
