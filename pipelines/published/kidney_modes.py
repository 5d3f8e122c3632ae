"""The kidney cascade's six networks, each with its own cut, scale and way back (KidneyTumorSeg_1, _2_1 .. _2_5).

`V` is the volume in axes (z, y, x), z to the head, y to posterior, x to the patient's left, int16 HU; `U` is
the same in (x, y, z) with z from the head down. The left kidney is mirrored in x for the first three networks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipelines.published.kidney_grid import AIR_HU, Box, bounds, components, resampled
from pipelines.published.runner import Floats

Labels: TypeAlias = NDArray[np.uint8]
CUBE: Final = 200  # voxels along each axis of the first two networks' input
STEP: Final = 100  # slices from one window to the next where there are more than CUBE
SECOND_AT_LEAST: Final = 0.2  # of the largest part's voxels, for a second kidney
MARGIN: Final = 16  # voxels around a kidney, one fewer at the end
MOST_PARTS: Final = 70  # in one kidney's box; more is noise
WIDE: Final = (380, 230, 72)  # voxels in x, y, z
LEAST: Final = 16  # voxels per axis of 2_2: four halvings
_MEAN, _STD = 80.96544691699005, 58.84357050328374


class Mode(Protocol):
    """What surrounds one network of the cascade."""

    def cut(self, v: NDArray[np.int16], kidneys: Labels | None) -> tuple[list[Floats], list[Any]]:
        """Return the inputs, each (1, a, b, c, 1), and where each came from."""

    def put(self, outputs: Sequence[Floats], places: Sequence[Any], shape: tuple[int, ...]) -> Labels:
        """Return the labels (z, y, x) of the outputs, each (1, a, b, c, classes)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Half:
    """One half of the body, overlapping the other by a fifth, in one window of slices."""

    first: int  # slice of V
    slices: int
    x: slice
    mirrored: bool

    @property
    def offset(self) -> int:
        """Slice of the cube at which the window begins."""
        return (CUBE - self.slices) // 2


class FindKidneys:
    """Mode 1: where the kidneys are; labels 1 right, 2 left."""

    def cut(self, v: NDArray[np.int16], kidneys: Labels | None) -> tuple[list[Floats], list[Half]]:  # noqa: ARG002
        """Cut both halves in each window of at most 200 slices."""
        n, rows, columns = v.shape
        halves = [
            Half(first, min(n, CUBE), x, mirrored)
            for first in _windows(n)
            for x, mirrored in ((slice(0, 3 * columns // 5), False), (slice(2 * columns // 5, columns), True))
        ]
        inputs = []
        for half in halves:
            frame = np.full((CUBE, rows, half.x.stop - half.x.start), AIR_HU, np.float32)
            window = v[half.first : half.first + half.slices, :, half.x]
            frame[half.offset : half.offset + half.slices] = _mirrored(window, half.mirrored, 2)
            inputs.append(_windowed(resampled(frame, (CUBE,) * 3)))
        return inputs, halves

    def put(self, outputs: Sequence[Floats], places: Sequence[Half], shape: tuple[int, ...]) -> Labels:
        """Average each half's windows, cut above a half, unite, and keep one or two parts."""
        found = np.zeros(shape, bool)
        for mirrored in (False, True):
            mine = [(output, half) for output, half in zip(outputs, places, strict=True) if half.mirrored == mirrored]
            x = mine[0][1].x
            total = np.zeros((shape[0], shape[1], x.stop - x.start), np.float32)
            times = np.zeros((shape[0], 1, 1), np.float32)
            for output, half in mine:
                cube = output[0, half.offset : half.offset + half.slices, :, :, 0]
                window = slice(half.first, half.first + half.slices)
                total[window] += resampled(cube, (half.slices, *total.shape[1:]), nearest=True)
                times[window] += 1
            found[:, :, x] |= _mirrored(total > 0.5 * times, mirrored, 2)
        return sided(found)


def _windows(n: int) -> list[int]:
    return [0] if n <= CUBE else [*range(0, n - CUBE, STEP), n - CUBE]


def sided(found: NDArray[np.bool_]) -> Labels:
    """Keep the largest part, and the second if it is no mere crumb; label them 1 right, 2 left by their mean x."""
    parts, order = components(found)
    labels = np.zeros(found.shape, np.uint8)
    if not order.size:
        return labels
    sizes = np.bincount(parts.ravel())
    kept = [part for part in order[:2] if part == order[0] or sizes[part] > SECOND_AT_LEAST * sizes[order[0]]]
    means = {part: float(np.nonzero(parts == part)[2].mean()) for part in kept}
    kept.sort(key=means.__getitem__)
    on_left = len(kept) == 1 and means[kept[0]] >= found.shape[2] / 2
    for label, part in enumerate(kept, 2 if on_left else 1):
        labels[parts == part] = label
    return labels


class EachKidney:
    """Mode 2_1: a box around each kidney, brought to a cube."""

    def cut(self, v: NDArray[np.int16], kidneys: Labels | None) -> tuple[list[Floats], list[tuple[int, Box]]]:
        """Cut the boxes of label 1 and 2, the left one mirrored."""
        inputs, places = [], []
        for label in (1, 2):
            ends = None if kidneys is None else bounds(kidneys == label)
            if ends is not None:
                low = tuple(max(one - MARGIN, 0) for one in ends[0])
                high = tuple(min(one + MARGIN, n) for one, n in zip(ends[1], v.shape, strict=True))
                box = Box(low, high)  # type: ignore[arg-type]  # three of each
                cube = resampled(_mirrored(box.cut(v), label == 2, 2), (CUBE,) * 3)
                inputs.append(_windowed(cube))
                places.append((label, box))
        return inputs, places

    def put(self, outputs: Sequence[Floats], places: Sequence[tuple[int, Box]], shape: tuple[int, ...]) -> Labels:
        """Bring each cube back to its box and keep its largest part; where boxes overlap, the right kidney's wins."""
        labels = np.zeros(shape, np.uint8)
        for output, (side, box) in reversed(list(zip(outputs, places, strict=True))):
            back = resampled(output[0].argmax(-1).astype(np.uint8), box.size, nearest=True)
            _paste(labels[box.inside(shape)], largest(_mirrored(back, side == 2, 2)))
        return labels


def largest(labels: Labels) -> Labels:
    """Keep the largest part of what is labelled; nothing where there are too many parts."""
    parts, order = components(labels > 0)
    if not order.size or order.size > MOST_PARTS:
        return np.zeros_like(labels)
    return np.where(parts == order[0], labels, 0).astype(np.uint8)


class TightKidney:
    """Mode 2_2: a tight box around what is marked in each half of the volume, at its own voxel size."""

    def cut(self, v: NDArray[np.int16], kidneys: Labels | None) -> tuple[list[Floats], list[tuple[bool, Box]]]:
        """Cut the boxes in U, the left one mirrored; a half without a mark has none."""
        u, marks = _upside(v), _upside(np.zeros(v.shape, np.uint8) if kidneys is None else kidneys) > 0
        half = marks.shape[0] // 2
        inputs, places = [], []
        for left, x in ((False, slice(0, half)), (True, slice(marks.shape[0] - half, marks.shape[0]))):
            ends = bounds(marks[x])
            if ends is not None:
                box = _tight(ends, x.start, u.shape)
                inputs.append(_standardised(_mirrored(box.cut(u), left, 0)))
                places.append((left, box))
        return inputs, places

    def put(self, outputs: Sequence[Floats], places: Sequence[tuple[bool, Box]], shape: tuple[int, ...]) -> Labels:
        """Put the boxes back."""
        labels = np.zeros(shape, np.uint8)
        u = _upside(labels)
        for output, (left, box) in zip(outputs, places, strict=True):
            back = _mirrored(output[0].argmax(-1).astype(np.uint8), left, 0)
            _paste(u[box.inside(u.shape)], box.trimmed(back, u.shape))
        return labels


def _tight(ends: Any, first_x: int, shape: tuple[int, ...]) -> Box:
    """Return lo .. hi + 1, but never the volume's last layer; at least LEAST voxels wide, if need be beyond the rim."""
    low, high = [], []
    for axis, (lo, hi, n) in enumerate(zip(*ends, shape, strict=True)):
        shift = 0 if axis else first_x
        start, stop = lo + shift, min(hi + shift + 1, n - 1)
        if (lack := LEAST - (stop - start)) > 0:
            start = max(start - lack // 2, 0)
            stop = start + LEAST
            start, stop = (n - LEAST, n) if stop > n >= LEAST else (start, stop)
        low.append(start)
        high.append(stop)
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


@dataclasses.dataclass(frozen=True, slots=True)
class WideBox:
    """Modes 2_3, 2_4 and 2_5: one box of fixed size around the middle of both kidneys, not mirrored."""

    scaled: Callable[[NDArray[Any]], Floats]

    def cut(self, v: NDArray[np.int16], kidneys: Labels | None) -> tuple[list[Floats], list[Box]]:
        """Cut the box in U; where it leaves the volume, lines are continued by their minimum."""
        ends = None if kidneys is None else bounds(_upside(kidneys) > 0)
        if ends is None:
            return [], []
        low = [(lo + hi) // 2 - size // 2 for lo, hi, size in zip(*ends, WIDE, strict=True)]
        box = Box((low[0], low[1], low[2]), (low[0] + WIDE[0], low[1] + WIDE[1], low[2] + WIDE[2]))
        return [self.scaled(box.cut(_upside(v)))], [box]

    def put(self, outputs: Sequence[Floats], places: Sequence[Box], shape: tuple[int, ...]) -> Labels:
        """Put the part of the box that lies in the volume back."""
        labels = np.zeros(shape, np.uint8)
        u = _upside(labels)
        for output, box in zip(outputs, places, strict=True):
            _paste(u[box.inside(u.shape)], box.trimmed(output[0].argmax(-1).astype(np.uint8), u.shape))
        return labels


def _windowed(hu: NDArray[Any]) -> Floats:
    return np.clip((hu.astype(np.float32) + 300) / np.float32(900), 0, 1)[None, ..., None]


def _standardised(hu: NDArray[Any]) -> Floats:
    values = (np.clip(hu.astype(np.float64), -100, 300) - _MEAN) / _STD
    return np.asarray(values, np.float32)[None, ..., None]


def _stretched(hu: NDArray[Any]) -> Floats:
    values = np.clip(hu.astype(np.float64), -100, 300)
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low if high > low else 1), np.float32)[None, ..., None]


def _upside(v: NDArray[Any]) -> NDArray[Any]:
    """V (z, y, x) as U (x, y, z) with z from the head down: a view, so what is written to it is written to V."""
    return v[::-1].transpose(2, 1, 0)


def _mirrored(array: NDArray[Any], yes: bool, axis: int) -> NDArray[Any]:
    return np.flip(array, axis) if yes else array


def _paste(target: NDArray[np.uint8], labels: Labels) -> None:
    target[labels > 0] = labels[labels > 0]


def _modes() -> Iterator[tuple[str, Mode]]:
    yield "1", FindKidneys()
    yield "2_1", EachKidney()
    yield "2_2", TightKidney()
    yield "2_3", WideBox(_stretched)
    yield "2_4", WideBox(_stretched)
    yield "2_5", WideBox(_standardised)


MODES: Final[Mapping[str, Mode]] = MappingProxyType(dict(_modes()))
"""The modes in the order of the cascade; the recipe of mode `m` is `KidneyTumorSeg_m`."""
