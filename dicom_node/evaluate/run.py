"""A pipeline on every labelled image of a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from dicom_node.config import Config
from dicom_node.datasets import Case
from dicom_node.datasets.cases import Kind
from dicom_node.errors import ObjectError, RefusalError
from dicom_node.evaluate.pictures import Style, draw_case
from dicom_node.evaluate.report import Measured, Report
from dicom_node.evaluate.scoring import ClassScorer, MarkScorer, MaskScorer, Scorer
from dicom_node.library import Loaded, load_from

SWEEP_FROM = 0.05  # average precision looks at every score above
WORST = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """A loaded pipeline as it is measured."""

    loaded: Loaded
    card: Mapping[str, Any]
    score_at: float  # the pipeline's own threshold of boxes; 0 where it has none

    def scorer(self, kind: Kind) -> Scorer:
        """Return what measures this kind of truth."""
        if kind == "masks":
            return MaskScorer(self.card)
        return MarkScorer(self.score_at) if kind == "boxes" else ClassScorer()


def open_subject(config: Config, name: str, weights: str = "", device: str = "cpu") -> Subject:
    """Load a pipeline so that it tells boxes of every score; raises as `Loaded` does."""
    # an implausible mask is measured as the wrong mask that it is: left out, it would flatter the network
    changes: dict[str, Any] = {"device": device, "on_implausible": "ignore"}
    loaded = load_from(config, name, weights, **changes)
    card = next(iter(loaded.weights.values())).card if loaded.weights else {}
    score_at = float(getattr(loaded.pipeline.settings, "score_at", 0))
    if score_at:
        loaded = load_from(config, name, weights, **changes, score_at=SWEEP_FROM)
    return Subject(loaded, card, score_at)


def evaluate(
    subject: Subject,
    kind: Kind,
    cases: Iterable[Case],
    pictures: Path | None = None,
    each: Callable[[], None] = lambda: None,
) -> Report:
    """Predict every case and measure; refused images are counted apart, not as wrong.

    Args:
        subject: what is measured.
        kind: of truth.
        cases: the images.
        pictures: a folder for pictures of the worst cases.
        each: called after each case.

    Raises:
        ObjectError: an image or its truth cannot be read, or not one image was accepted.
    """
    scorer = subject.scorer(kind)
    measured, refused = [], {}
    for case in cases:
        try:
            measured.append(Measured(case, scorer.score(subject.loaded.predict(case.source), case)))
        except RefusalError as error:
            refused[case.name] = str(error)
        each()
    if not measured:
        raise ObjectError(subject.loaded.name, f"no image was accepted: {next(iter(refused.values()), 'none there')}")
    figures = scorer.figures([one.score for one in measured], [one.case.patient for one in measured])
    if pictures is not None:
        _draw_worst(subject, measured, pictures)
    entries = {entry.name: entry.sha256 for entry in subject.loaded.weights.values()}
    return Report(subject.loaded.name, entries, kind, figures, tuple(measured), refused)


def _draw_worst(subject: Subject, measured: list[Measured], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    style = Style(subject.card, subject.score_at)
    for number, one in enumerate(sorted(measured, key=lambda one: one.score.quality)[:WORST], 1):
        path = folder / f"{number:02d}-{Path(one.case.name).stem}.png"
        draw_case(subject.loaded.predict(one.case.source), one.case, one.score, style, path)
