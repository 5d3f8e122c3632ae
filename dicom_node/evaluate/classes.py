"""Answers against labels: accuracy, discrimination, calibration."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from scipy.stats import rankdata

_BINS: Final = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
    """One image's answer against its label."""

    truth: str
    scores: Mapping[str, float]  # each class's probability
    uncertain: bool  # what the pipeline said; for accuracy the larger probability counts all the same

    @property
    def best(self) -> str:
        """The class with the largest probability."""
        return max(self.scores, key=lambda name: self.scores[name])


def accuracy(answers: Sequence[Answered]) -> float:
    """Return the share of right answers."""
    return float(np.mean([one.best == one.truth for one in answers]))


def balanced_accuracy(answers: Sequence[Answered]) -> float:
    """Return the mean, over the classes that are there, of the share of right answers."""
    return float(np.mean(list(class_recalls(answers).values())))


def class_recalls(answers: Sequence[Answered]) -> dict[str, float]:
    """Return the share of right answers of each class that is there."""
    there = sorted({one.truth for one in answers})
    return {name: accuracy([one for one in answers if one.truth == name]) for name in there}


def auc(answers: Sequence[Answered]) -> float:
    """Return the area under the ROC curve, mean of one class against the rest; NaN where all are of one class."""
    areas = [
        _area([one.scores[name] for one in answers], [one.truth == name for one in answers]) for name in _names(answers)
    ]
    known = [area for area in areas if np.isfinite(area)]
    return float(np.mean(known)) if known else float("nan")


def _area(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """Return the chance that a positive has the larger score (Mann and Whitney's U)."""
    there = np.asarray(positive)
    positives, negatives = int(there.sum()), int((~there).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores)[there].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def calibration_error(answers: Sequence[Answered]) -> float:
    """Return the expected calibration error: confidence against accuracy in ten equal bins, weighted by their size."""
    confidence = np.array([one.scores[one.best] for one in answers])
    right = np.array([one.best == one.truth for one in answers], float)
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [abs(confidence[bins == k].sum() - right[bins == k].sum()) for k in range(_BINS)]
    return float(sum(gaps) / len(answers))


def brier(answers: Sequence[Answered]) -> float:
    """Return the mean squared distance of the probabilities from the truth, 0 to 2 (Brier 1950)."""
    return float(np.mean([sum((p - (name == one.truth)) ** 2 for name, p in one.scores.items()) for one in answers]))


def uncertain_share(answers: Sequence[Answered]) -> float:
    """Return how often the pipeline would not decide."""
    return float(np.mean([one.uncertain for one in answers]))


METRICS: Final[Mapping[str, Callable[[Sequence[Answered]], float]]] = {
    "balanced_accuracy": balanced_accuracy,
    "accuracy": accuracy,
    "auc": auc,
    "calibration_error": calibration_error,
    "brier": brier,
    "uncertain": uncertain_share,
}


def _names(answers: Sequence[Answered]) -> list[str]:
    return sorted({name for one in answers for name in one.scores})
