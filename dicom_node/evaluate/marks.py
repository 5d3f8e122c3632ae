"""Boxes against boxes: precision, recall and average precision at half overlap."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from dicom_node.datasets import TrueBox
from dicom_node.findings import Box

OVERLAP: Final = 0.5  # intersection over union from which a box is a hit
NEITHER: Final = "?"  # the label of places where a box is neither right nor wrong
_NEAR: Final = 4.0  # pixels from such a place


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """A box that counts."""

    label: str
    score: float
    right: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Matched:
    """One image's boxes against what is there."""

    hits: tuple[Hit, ...]
    truths: tuple[str, ...]  # labels

    def counts(self, score_at: float) -> tuple[int, int, int]:
        """Return the truths found, the boxes that are none, and all truths, at a threshold."""
        kept = [hit.right for hit in self.hits if hit.score >= score_at]
        return sum(kept), len(kept) - sum(kept), len(self.truths)


def match(found: Sequence[Box], truth: Sequence[TrueBox]) -> Matched:
    """Give each box, the surest first, the best free truth of its label."""
    free = [one for one in truth if one.label != NEITHER]
    excused = [one for one in truth if one.label == NEITHER]
    labels = tuple(one.label for one in free)
    hits = []
    for box in sorted(found, key=lambda one: -one.probability):
        best = max(free, key=lambda one: overlap(box, one) if one.label == box.name else -1.0, default=None)
        right = best is not None and best.label == box.name and bool(overlap(box, best) >= OVERLAP)
        if right and best is not None:
            free.remove(best)
        elif any(_near(box, one) for one in excused):
            continue
        hits.append(Hit(box.name, float(box.probability), right))
    return Matched(tuple(hits), labels)


def overlap(one: Box | TrueBox, other: Box | TrueBox) -> float:
    """Return intersection over union."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((box.x2 - box.x1) * (box.y2 - box.y1) for box in (one, other))
    return shared / (areas - shared) if areas > shared else 0.0


def _near(box: Box, place: TrueBox) -> bool:
    apart = box.x1 > place.x2 + _NEAR or place.x1 > box.x2 + _NEAR
    return not (apart or box.y1 > place.y2 + _NEAR or place.y1 > box.y2 + _NEAR)


def recall(counts: Sequence[tuple[int, int, int]]) -> float:
    """Return the share of truths found; NaN where there are none."""
    total = sum(one[2] for one in counts)
    return sum(one[0] for one in counts) / total if total else float("nan")


def precision(counts: Sequence[tuple[int, int, int]]) -> float:
    """Return the share of boxes that are right; NaN where there are none."""
    total = sum(one[0] + one[1] for one in counts)
    return sum(one[0] for one in counts) / total if total else float("nan")


def mean_average_precision(matched: Sequence[Matched]) -> float:
    """Return the area under the precision-recall curve, precision made monotonous, mean over the labels there are."""
    labels = sorted({label for one in matched for label in one.truths})
    return float(np.mean([_average_precision(matched, label) for label in labels])) if labels else float("nan")


def _average_precision(matched: Sequence[Matched], label: str) -> float:
    total = sum(one.truths.count(label) for one in matched)
    hits = sorted((hit for one in matched for hit in one.hits if hit.label == label), key=lambda hit: -hit.score)
    if not hits:
        return 0.0
    right = np.cumsum([hit.right for hit in hits])
    best = np.maximum.accumulate((right / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(np.sum(np.diff(right / total, prepend=0) * best))
