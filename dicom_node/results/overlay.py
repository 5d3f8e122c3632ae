"""What was found drawn into the picture, for viewers that show no SEG."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.images import Frame
from dicom_node.imaging import read_photograph
from dicom_node.imaging.pixels import read_object, stored_pixels
from dicom_node.imaging.remarks import SourceRemarks
from dicom_node.imaging.shown import shown
from dicom_node.results.grey import grey_scale
from dicom_node.results.outlines import Drawn
from dicom_node.results.sources import Sources

LABEL = "AI - not for diagnosis"
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LABEL_SHARE = 0.5  # of the picture's width that the label may take
_WIDTH_AT_1 = cv2.getTextSize(LABEL, _FONT, 1.0, 1)[0][0]
_LINE_AT_1 = 34  # pixels from one line of text to the next
_LEAST_PIXELS = 384  # of a picture's shorter side; smaller ones are enlarged, so that the label can be read
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def pictures(sources: Sources, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Yield frames (rows, columns, 3) in red, green and blue, as a viewer shows them."""
    frames = [sources.stack.frames[k] for k in indices]
    if sources.first.get("SamplesPerPixel", 1) != 1 or sources.first.PhotometricInterpretation == "PALETTE COLOR":
        every = read_photograph(sources.stack).pictures
        yield from (every[k] for k in indices)
        return
    for _, together in itertools.groupby(frames, key=lambda frame: frame.path):
        yield from _grey(list(together))


def _grey(frames: Sequence[Frame]) -> Iterator[NDArray[np.uint8]]:
    dataset = read_object(frames[0])
    for frame, stored in zip(frames, stored_pixels(dataset, frames, SourceRemarks()), strict=True):
        picture = shown(grey_scale(dataset, frame.number), stored)
        yield np.repeat(picture[..., None], 3, axis=2)


def scale_of(shape: tuple[int, ...]) -> int:
    """Return by how much a picture is enlarged."""
    return max(1, -(-_LEAST_PIXELS // min(shape[:2])))


def draw(picture: NDArray[np.uint8], found: Sequence[Drawn], made_by: str) -> NDArray[np.uint8]:
    """Return the picture with outlines in their colours, names, and what it is."""
    scale = scale_of(picture.shape)
    canvas = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    for one in found:
        points = [np.rint(polygon * scale - 0.5).astype(np.int32) for polygon in one.polygons]
        cv2.polylines(canvas, points, isClosed=True, color=one.colour, thickness=1, lineType=cv2.LINE_8)
    lines: list[tuple[str, tuple[int, ...]]] = [(LABEL, _WHITE), (made_by, _WHITE)]
    _write(canvas, [*lines, *((one.name, one.colour) for one in found)])
    return canvas


def _write(canvas: NDArray[np.uint8], lines: Sequence[tuple[str, tuple[int, ...]]]) -> None:
    size = _LABEL_SHARE * canvas.shape[1] / _WIDTH_AT_1
    for number, (text, colour) in enumerate(lines, 1):
        place = (4, round(_LINE_AT_1 * size * number))
        cv2.putText(canvas, text, place, _FONT, size, _BLACK, 3, cv2.LINE_8)
        cv2.putText(canvas, text, place, _FONT, size, colour, 1, cv2.LINE_8)


def labelled_rows(shape: tuple[int, ...], lines: int) -> int:
    """Return how many rows of a drawn picture the text may take."""
    return round(_LINE_AT_1 * _LABEL_SHARE * shape[1] / _WIDTH_AT_1 * (lines + 1))
