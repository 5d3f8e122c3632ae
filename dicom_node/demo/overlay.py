"""Results as pictures for people without a viewer: what a SEG marks drawn on its source, and a Secondary Capture."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import highdicom as hd
import numpy as np
from numpy.typing import NDArray

from dicom_node.errors import ObjectError
from dicom_node.images import Frame, Stack
from dicom_node.imaging import split
from dicom_node.results.overlay import pictures
from dicom_node.results.sources import read_sources

Colour: TypeAlias = tuple[int, int, int]
"""Blue, green, red, 0 to 255: OpenCV's order."""

_PALETTE: tuple[Colour, ...] = ((80, 200, 80), (60, 170, 250), (230, 150, 70), (80, 80, 240), (200, 100, 200))
_LEAST_PIXELS = 768  # of a picture's shorter side; smaller ones are enlarged, for contours one can see
_MARGIN, _LINE = 12, 26
_READ: Mapping[str, Any] = {
    "combine_segments": True,
    "ignore_spatial_locations": True,
    "assert_missing_frames_are_empty": True,
    "skip_overlap_checks": True,
}


def overlay_png(stack: Stack, seg_path: Path, out_path: Path) -> None:
    """Draw the outlines of a SEG's segments, with their names, on a frame of the stack that the SEG was made from.

    Of several frames, the one with the most marked pixels is drawn.

    Raises:
        ObjectError: the SEG cites no frame of the stack.
    """
    seg = hd.seg.segread(seg_path)
    labels = dict(_labels(seg, stack))
    if not labels:
        raise ObjectError(str(seg_path), f"cites no frame of series {stack.series_uid}")
    frame = max(labels, key=lambda frame: np.count_nonzero(labels[frame]))
    _write(out_path, _drawn(_picture(stack, frame), labels[frame], seg))


def picture_png(path: Path, out_path: Path) -> None:
    """Write the first frame of a grey or colour image as PNG."""
    (stack,) = split("", "", [(str(path), "")]).stacks
    _write(out_path, _picture(stack, stack.frames[0]))


def _labels(seg: hd.seg.Segmentation, stack: Stack) -> Iterator[tuple[Frame, NDArray[Any]]]:
    """Yield the stack's frames that the SEG cites, each with its segment numbers (rows, columns)."""
    cited = {str(uid) for _, _, uid in seg.get_source_image_uids()}
    known = [frame for frame in stack.frames if frame.sop_instance_uid in cited]
    single = [frame for frame in known if frame.number is None]
    if single:
        uids = [frame.sop_instance_uid for frame in single]
        yield from zip(single, seg.get_pixels_by_source_instance(uids, **_READ), strict=True)
    for uid in dict.fromkeys(frame.sop_instance_uid for frame in known if frame.number):
        frames = [frame for frame in known if frame.sop_instance_uid == uid]
        numbers = [frame.number for frame in frames if frame.number]
        yield from zip(frames, seg.get_pixels_by_source_frame(uid, numbers, **_READ), strict=True)


def _picture(stack: Stack, frame: Frame) -> NDArray[np.uint8]:
    """Return a frame (rows, columns, BGR) as a viewer shows it."""
    (picture,) = pictures(read_sources(dataclasses.replace(stack, frames=(frame,))), [0])
    return np.ascontiguousarray(picture[..., ::-1])


def _drawn(picture: NDArray[np.uint8], labels: NDArray[Any], seg: hd.seg.Segmentation) -> NDArray[np.uint8]:
    """Return the picture (rows, columns, BGR) with outlines and a legend; labels are (rows, columns)."""
    scale = max(1, -(-_LEAST_PIXELS // min(picture.shape[:2])))
    canvas = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    marked = [number for number in seg.segment_numbers if (labels == number).any()]
    for line, number in enumerate(marked):
        colour, name = _look(seg, number)
        mask = (labels == number).astype(np.uint8)
        mask = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outlines, -1, colour, 2, cv2.LINE_AA)
        place = (_MARGIN, _MARGIN + _LINE * (line + 1))
        cv2.putText(canvas, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, colour, 2, cv2.LINE_AA)
    return canvas


def _look(seg: hd.seg.Segmentation, number: int) -> tuple[Colour, str]:
    """Return a segment's colour and name; without a recommended colour, one of the palette's."""
    description = seg.get_segment_description(number)
    name = str(description.segment_label)
    recommended = description.get("RecommendedDisplayCIELabValue")
    if recommended is None:
        return _PALETTE[(number - 1) % len(_PALETTE)], name
    red, green, blue = hd.color.CIELabColor.from_dicom_value(list(recommended)).to_rgb()
    return (int(blue), int(green), int(red)), name


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    done, encoded = cv2.imencode(".png", picture)
    if not done:
        raise ObjectError(str(path), f"a picture of shape {picture.shape} cannot be written as PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.tobytes())
