"""Endoscopic pictures: which frames of a film are looked at, and where in them the picture is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.pipeline import Photograph, Stack

_BLACK = 10  # of 255, in every colour; compression leaves a border not quite black
_GAP = 5  # pixels; dark lines thinner than this do not part the picture
_LEAST_BORDER = 0.02  # of a side; less is left as it is
_LEAST_FIELD = 0.1  # of the frame; a smaller lit part is no picture but a dark frame
_USUAL_FRAME_MS = 40.0


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """The part of a frame that shows the endoscope's picture, without border and text panel."""

    rows: slice
    columns: slice

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """Cut the field out of (rows, columns[, 3])."""
        return array[self.rows, self.columns]


@dataclasses.dataclass(frozen=True, slots=True)
class Polyps:
    """What a network sees in each picture."""

    mask: NDArray[np.bool_]  # (frames, rows, columns)
    probability: tuple[float, ...]  # per frame, the highest of its pixels


def fields(pictures: NDArray[np.uint8]) -> list[Field]:
    """Return each picture's field, (frames, rows, columns, 3): the box of its largest part that is not black.

    Letters on black are parts of their own, so a text panel falls away with the border.
    """
    return [_field(one) for one in pictures]


def _field(picture: NDArray[np.uint8]) -> Field:
    rows, columns = picture.shape[:2]
    lit = (picture.max(axis=-1) >= _BLACK).astype(np.uint8)
    opened = cv2.morphologyEx(lit, cv2.MORPH_OPEN, np.ones((_GAP, _GAP), np.uint8))  # parts text from the picture
    _, _, stats, _ = cv2.connectedComponentsWithStats(opened)
    if len(stats) < 2:
        return Field(slice(0, rows), slice(0, columns))
    best = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    if best[cv2.CC_STAT_AREA] < _LEAST_FIELD * lit.size:
        return Field(slice(0, rows), slice(0, columns))
    left, top, width, height = (int(best[k]) for k in range(4))
    return Field(_side(top, top + height, rows), _side(left, left + width, columns))


def _side(start: int, stop: int, whole: int) -> slice:
    """Keep what is no border worth the name."""
    least = _LEAST_BORDER * whole
    return slice(start if start >= least else 0, stop if whole - stop >= least else whole)


def polyps_on(image: Photograph, seen: Sequence[Field], logits: Sequence[NDArray[np.float32]], cut: float) -> Polyps:
    """Bring each picture's logits (any square) to its field and cut there: the rim stays where the network saw it."""
    mask = np.zeros(image.pictures.shape[:3], bool)
    for place, field, square in zip(mask, seen, logits, strict=True):
        inside = field.of(place)
        inside |= cv2.resize(square, inside.shape[::-1], interpolation=cv2.INTER_LINEAR) > cut
    return Polyps(mask, tuple(float(1 / (1 + math.exp(-min(max(one.max(), -80), 80)))) for one in logits))


def sampled(stack: Stack, every_s: float, max_frames: int) -> Stack:
    """Return the stack with a frame every `every_s` seconds of its film; fewer where they would exceed `max_frames`."""
    frames = stack.frames
    step = max(every_s * 1000 / frame_ms(stack), len(frames) / max_frames, 1)
    chosen = [int(k * step) for k in range(math.ceil(len(frames) / step))]
    return dataclasses.replace(stack, frames=tuple(frames[k] for k in chosen[:max_frames]))


def frame_ms(stack: Stack) -> float:
    """Return the time from one frame to the next, by the header (PS3.3 C.7.6.5), else 25 frames a second."""
    for keyword in ("FrameTime", "FrameTimeVector"):
        steps = [one for one in stack.facts.get(keyword, ()) if isinstance(one, float) and one > 0]
        if steps:
            return sum(steps) / len(steps)
    rate = stack.number("CineRate") or stack.number("RecommendedDisplayFrameRate")
    return 1000 / rate if rate else _USUAL_FRAME_MS
