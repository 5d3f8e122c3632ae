"""Read what was drawn back: presentation states, overlays and key image selections, held against the findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels

from dicom_node.errors import ProofError
from dicom_node.findings import Segmentation
from dicom_node.images import Frame
from dicom_node.results.captures import Captured, plane_of_picture
from dicom_node.results.groups import found_boxes, outline
from dicom_node.results.ko import key_frames
from dicom_node.results.outlines import filled
from dicom_node.results.overlay import labelled_rows, pictures, scale_of
from dicom_node.results.request import Reference, Request
from dicom_node.results.seg import present
from dicom_node.results.sources import Sources, plane_of

_FAR_MM = 0.01  # between where a picture lies and where it should
_LEAST_DICE = 0.99  # of an outline filled again: one that is too long for an element is thinned


def prove_state(dataset: Dataset, request: Request, sources: Sources) -> None:
    """Check that the outlines enclose what was found, on the right images, and that these are shown as before.

    Raises:
        ProofError: naming what differs.
    """
    uid, shape = dataset.SOPInstanceUID, (int(sources.first.Rows), int(sources.first.Columns))
    inverted = sources.first.get("PhotometricInterpretation") == "MONOCHROME1"
    if dataset.get("PresentationLUTShape", "IDENTITY") != ("INVERSE" if inverted else "IDENTITY"):
        raise ProofError(f"{uid}: it would show the image with black and white exchanged")
    drawn = _annotations(dataset)
    shown = {frame for frame, _ in drawn}
    for name, k, mask in _masks(request):
        frame = _key(sources.stack.frames[k])
        if frame not in shown:
            continue  # on an image of another state
        found = filled(tuple(drawn[frame, f"AI {name}"]), shape)
        dice = 2 * float(np.count_nonzero(found & mask)) / float(np.count_nonzero(found) + np.count_nonzero(mask))
        if dice < _LEAST_DICE:
            raise ProofError(f"{uid}: the outline of {name} on image {k + 1} has Dice {dice:.6f} with what was found")
    for number, box in enumerate(found_boxes(request), 1):
        lines = drawn[_key(sources.stack.frames[0]), f"AI {box.name} {number}"]
        if not any(np.allclose(line, outline(box), atol=1e-3) for line in lines):
            raise ProofError(f"{uid}: it lacks the box {box.name}")


def prove_overlay(dataset: Dataset, request: Request, captured: Captured, sources: Sources) -> None:
    """Check that nothing but outlines and the label differs from the source, and that each outline is there.

    Each frame is to cite its source, and to lie on it.

    Raises:
        ProofError: naming what differs.
    """
    uid, frames = dataset.SOPInstanceUID, captured.frames
    if int(dataset.get("NumberOfFrames") or 1) != len(frames):
        raise ProofError(f"{uid}: it has {dataset.get('NumberOfFrames')} frames, not {len(frames)}")
    originals = pictures(sources, list(frames))
    for number, (k, written, source) in enumerate(zip(frames, iter_pixels(dataset), originals, strict=True), 1):
        _prove_place(dataset, number, k, sources)
        _prove_picture(f"{uid}, frame {number}", written, source, (request, k))


def _prove_place(dataset: Dataset, number: int, k: int, sources: Sources) -> None:
    item = dataset.PerFrameFunctionalGroupsSequence[number - 1] if _is_multi_frame(dataset) else dataset
    cited = item.get("DerivationImageSequence", [item])[0].SourceImageSequence[0]
    if (cited.ReferencedSOPInstanceUID, cited.get("ReferencedFrameNumber")) != _key(sources.stack.frames[k]):
        raise ProofError(f"{dataset.SOPInstanceUID}: frame {number} cites another image than the one it shows")
    expected = plane_of_picture(sources, k)
    found = plane_of(dataset, number if _is_multi_frame(dataset) else None)
    if expected is None:
        return
    corners = ((0, 0), (int(dataset.Rows), 0), (0, int(dataset.Columns)))
    if found is None or any(np.linalg.norm(found.point(*one) - expected.point(*one)) > _FAR_MM for one in corners):
        raise ProofError(f"{dataset.SOPInstanceUID}: frame {number} does not lie on its source")


def _is_multi_frame(dataset: Dataset) -> bool:
    return "PerFrameFunctionalGroupsSequence" in dataset


def _prove_picture(where: str, written: NDArray[np.uint8], source: NDArray[np.uint8], of: tuple[Request, int]) -> None:
    """Hold one picture against its source; `of` is what was found, and the frame's index in the stack."""
    request, k = of
    scale = scale_of(source.shape)
    enlarged = source.repeat(scale, axis=0).repeat(scale, axis=1)
    if written.shape != enlarged.shape:
        raise ProofError(f"{where}: its size is {written.shape}, not {enlarged.shape}")
    changed = (written != enlarged).any(axis=2)
    masks = [*_masks(request), *_boxes(request, source.shape[:2])]
    lines = [(name, _edge(mask, scale)) for name, at, mask in masks if at == k]
    for name, line in lines:
        if not (changed & line).any():
            raise ProofError(f"{where}: {name} is not drawn on image {k + 1}")
    allowed = np.any([line for _, line in lines], axis=0)
    allowed[: labelled_rows(written.shape, len(lines) + 2)] = True
    strayed = int(np.count_nonzero(changed & ~allowed))
    if strayed:
        raise ProofError(f"{where}: {strayed} pixels away from outlines and label differ from the source")


def prove_selection(
    dataset: Dataset, request: Request, rejected: tuple[Reference, ...] | None, sources: Sources
) -> None:
    """Check that exactly the key images, or exactly the replaced results, are selected.

    Raises:
        ProofError: naming what differs.
    """
    keyword = "ReferencedSOPSequence"
    items = [item[keyword].value[0] for item in dataset.ContentSequence if keyword in item]
    written = {item.ReferencedSOPInstanceUID for item in items}
    frames = [sources.stack.frames[k] for k in key_frames(request)]
    wanted = {one.sop_instance_uid for one in (frames if rejected is None else rejected)}
    if written != wanted:
        raise ProofError(f"{dataset.SOPInstanceUID}: it selects {sorted(written)}, not {sorted(wanted)}")


def _masks(request: Request) -> Iterator[tuple[str, int, NDArray[np.bool_]]]:
    """Yield name, index in the stack and mask of every segment and frame that it lies on."""
    for segmentation in request.findings.of(Segmentation):
        for segment in present(segmentation):
            for k, labels in enumerate(segmentation.labels):
                if (mask := labels == segment.label).any():
                    yield segment.name, k, mask


def _boxes(request: Request, shape: tuple[int, ...]) -> Iterator[tuple[str, int, NDArray[np.bool_]]]:
    """Yield name, index in the stack and mask of every box."""
    for box in found_boxes(request):
        mask = np.zeros(shape, dtype=bool)
        mask[round(box.y1) : max(round(box.y2), round(box.y1) + 1), round(box.x1) : round(box.x2)] = True
        yield box.name, 0, mask


def _annotations(dataset: Dataset) -> defaultdict[tuple[tuple[str, int | None], str], list[NDArray[np.float64]]]:
    """Return the lines of a state by the frame that they are drawn on and their layer's description."""
    names = {one.GraphicLayer: one.GraphicLayerDescription for one in dataset.GraphicLayerSequence}
    lines: defaultdict[tuple[tuple[str, int | None], str], list[NDArray[np.float64]]] = defaultdict(list)
    for item in dataset.GraphicAnnotationSequence:
        image = item.ReferencedImageSequence[0]
        frame = image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")
        for one in item.GraphicObjectSequence:
            lines[frame, names[item.GraphicLayer]].append(np.array(one.GraphicData, np.float64).reshape(-1, 2))
    return lines


def _key(frame: Frame) -> tuple[str, int | None]:
    return frame.sop_instance_uid, frame.number


def _edge(mask: NDArray[np.bool_], scale: int) -> NDArray[np.bool_]:
    """Return where the outline of a mask (rows, columns) may be drawn: half a pixel of the source from an edge."""
    reach = scale // 2 + 1
    large = np.pad(mask.astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1), reach)
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    edge = cv2.dilate(large, kernel) != cv2.erode(large, kernel)
    return np.asarray(edge[reach:-reach, reach:-reach])
