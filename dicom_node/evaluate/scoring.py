"""One image's prediction against its truth, and all images' scores to figures: a scorer for each kind of truth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from dicom_node.datasets import Case
from dicom_node.errors import ObjectError
from dicom_node.evaluate import classes, marks, masks
from dicom_node.evaluate.cards import classes_of, ignored_by
from dicom_node.evaluate.statistics import Figure, figure, mean_figure
from dicom_node.findings import Classification, Detection, Segmentation
from dicom_node.library import Prediction


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """What one image got."""

    values: Mapping[str, float | str]  # for metrics.json
    quality: float  # the lowest are the worst cases
    detail: Any = None  # what the figures need beyond the values


class Scorer(Protocol):
    """How one kind of truth is measured."""

    def score(self, prediction: Prediction, case: Case) -> Score:
        """Compare one image's findings with what is true; ObjectError where they cannot be compared."""

    def figures(self, scores: Sequence[Score], patients: Sequence[str]) -> dict[str, Figure]:
        """Return the metrics by name, the leading one first."""


class MaskScorer:
    """Overlap per image, surfaces' distance, and by class where the card names classes."""

    def __init__(self, card: Mapping[str, Any]) -> None:
        self.classes, self.ignore = classes_of(card), ignored_by(card)

    def score(self, prediction: Prediction, case: Case) -> Score:
        """Compare the first segmentation with the mask."""
        found = next(iter(prediction.findings.of(Segmentation)), None)
        if found is None or isinstance(case.truth, str | tuple):
            raise ObjectError(case.name, f"{prediction.findings.pipeline} marks no pixels, the truth is a mask")
        truth, known = masks.marked_truth(case.truth.read(prediction.image, self.classes), self.classes, self.ignore)
        marked = masks.marked_findings(found, self.classes)
        values = masks.compare(truth, marked, known, masks.spacing_of(prediction.image))
        return Score(values, values["dsc"], bool((truth.whole & known).any()))

    def figures(self, scores: Sequence[Score], patients: Sequence[str]) -> dict[str, Figure]:
        """Return the mean over images of each value; where some truths are empty, Dice without them too."""
        names = dict.fromkeys(name for score in scores for name in score.values)
        columns = {name: [float(score.values.get(name, math.nan)) for score in scores] for name in names}
        if not all(score.detail for score in scores):
            columns["dsc_where_present"] = [
                float(score.values["dsc"]) if score.detail else math.nan for score in scores
            ]
        found = {name: mean_figure(column, patients) for name, column in columns.items()}
        return {name: one for name, one in found.items() if one is not None}


class MarkScorer:
    """Average precision over all scores, precision and recall at the pipeline's threshold."""

    def __init__(self, score_at: float) -> None:
        self.score_at = score_at

    def score(self, prediction: Prediction, case: Case) -> Score:
        """Match the boxes with those that are there."""
        found = next(iter(prediction.findings.of(Detection)), None)
        if found is None or not isinstance(case.truth, tuple):
            raise ObjectError(case.name, f"{prediction.findings.pipeline} finds no boxes, the truth are boxes")
        matched = marks.match(found.boxes, case.truth)
        hits, wrong, total = matched.counts(self.score_at)
        return Score({"found": hits, "wrong": wrong, "there": total}, float(hits - total - wrong), matched)

    def figures(self, scores: Sequence[Score], patients: Sequence[str]) -> dict[str, Figure]:
        """Return mAP50, then recall and precision at the threshold."""
        matched = [score.detail for score in scores]
        counts = [one.counts(self.score_at) for one in matched]
        return {
            "map50": figure(matched, patients, marks.mean_average_precision),
            "recall": figure(counts, patients, marks.recall),
            "precision": figure(counts, patients, marks.precision),
        }


class ClassScorer:
    """Answers as probabilities; an uncertain one counts as the likelier class, and is counted."""

    def score(self, prediction: Prediction, case: Case) -> Score:
        """Compare the first classification with the label."""
        found = next(iter(prediction.findings.of(Classification)), None)
        if found is None or not isinstance(case.truth, str):
            raise ObjectError(case.name, f"{prediction.findings.pipeline} answers no question, the truth is a label")
        scores = dict(found.scores)
        if case.truth not in scores:
            raise ObjectError(case.name, f"has the label {case.truth!r}; the answers are {', '.join(scores)}")
        answer = classes.Answered(case.truth, scores, found.value not in scores)
        values = {"label": case.truth, "answer": found.value, "best": answer.best, **scores}
        return Score(values, scores[case.truth], answer)

    def figures(self, scores: Sequence[Score], patients: Sequence[str]) -> dict[str, Figure]:
        """Return accuracy in its forms, AUC and calibration, and each class's share of right answers."""
        answers = [score.detail for score in scores]
        found = {name: figure(answers, patients, metric) for name, metric in classes.METRICS.items()}
        for name in classes.class_recalls(answers):
            some = [(one, patient) for one, patient in zip(answers, patients, strict=True) if one.truth == name]
            of_class = figure([one for one, _ in some], [patient for _, patient in some], classes.accuracy)
            found[f"recall_{name.replace('-', '_')}"] = of_class
        return {name: one for name, one in found.items() if math.isfinite(one.value)}


STEERED_BY: Final = {"masks": ("dsc", 1), "boxes": ("map50", 1), "classes": ("brier", -1)}
"""Kind of truth -> the metric that a training is steered by, and the sign with which more is better.

Answers by Brier's score: the share of right ones takes a few values only on a few images, and knows no better epoch
among those that have it.
"""
