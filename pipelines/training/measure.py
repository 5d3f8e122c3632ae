"""Measure shipped weights through their pipelines: python -m pipelines.training.measure NAME --data DIR.

NAME is lung_cxr, lr_mark_cxr or contrast_ct. Figures carry 95 % bootstrap intervals over patients. Nothing is chosen
here: thresholds are the settings' defaults. The contrast gate has no patients left over, so it is measured by the folds
that `pipelines.training.contrast_ct --fold` wrote.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dicom_node.images import Frame, Radiograph, Stack
from dicom_node.pipeline import Detection, Model, Segmentation
from dicom_node.weights_store import read_catalog
from pipelines.contrast_ct import ContrastSettings
from pipelines.ct_slices import lung_share
from pipelines.lr_mark_cxr import LRMarkCXR, MarkSettings
from pipelines.lung_cxr import LungCXR
from pipelines.training.contrast_ct import FOLDS
from pipelines.training.data import (
    CtSlice,
    CxrRow,
    bootstrap,
    folds_of,
    read_contrast,
    read_cxr,
    read_grey,
    split_cxr,
)
from pipelines.training.lr_mark_cxr import SIZE, Background, Label, backgrounds, place
from pipelines.training.lung_cxr import IGNORE, dice, sides
from pipelines.training.marks import SIDES, draw_mark, draw_words

log = logging.getLogger(__name__)

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


def radiograph(row: CxrRow, picture: NDArray[np.uint8]) -> Radiograph:
    """Return a picture file as the pipelines take it; its header would be empty."""
    frame = Frame(str(row.image), "", row.image.stem)
    return Radiograph(picture, picture, None, Stack("", "", (frame,), {}))


def measure_lungs(rows: Sequence[CxrRow]) -> None:
    """Log Dice of both lungs together and of each, unknown pixels left out, on the source grid."""
    model = LungCXR().load({"": read_catalog(WEIGHTS)["lung_cxr_small"]}, "cpu")
    scores: list[tuple[float, float, float]] = []
    for row in rows:
        if row.mask is None:
            continue
        truth = sides(read_grey(row.mask), row)
        found = model(radiograph(row, row.read()))[0]
        if not isinstance(found, Segmentation):
            raise TypeError(f"expected a Segmentation first, got {type(found).__name__}")
        known = truth != IGNORE
        labels = found.labels[0]
        scores.append(
            (
                dice((labels > 0) & known, (truth > 0) & known),
                dice((labels == 1) & known, (truth == 1) & known),
                dice((labels == 2) & known, (truth == 2) & known),
            )
        )
    patients = [row.patient for row in rows if row.mask]
    for name, values in zip(("both lungs", "image-left", "image-right"), zip(*scores, strict=True), strict=True):
        _report(f"Dice, {name}", values, patients)
    low = sorted(zip(scores, (row.image.name for row in rows if row.mask), strict=True))[:8]
    log.info("lowest: %s", ", ".join(f"{name} {score[0]:.2f}" for score, name in low))


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What the detector made of one image."""

    patient: str
    hits: tuple[tuple[int, float, bool], ...]  # of each box that counts: side, score, right or wrong
    truths: tuple[int, int]  # marks per side

    def counts(self, score_at: float) -> tuple[int, int, int]:
        """Return the marks found, the boxes that are none, and all marks, at a threshold."""
        kept = [right for _, score, right in self.hits if score >= score_at]
        return sum(kept), len(kept) - sum(kept), sum(self.truths)


def measure_marks(rows: Sequence[CxrRow]) -> None:
    """Log precision and recall on real marks, and average precision on drawn ones, at 50 % overlap."""
    settings = MarkSettings()
    model = LRMarkCXR({"score_at": 0.05}).load({"": read_catalog(WEIGHTS)["lr_mark_cxr_small"]}, "cpu")
    sources = [(row, source) for row in rows for source in backgrounds([row])]
    real = [_outcome(model, row, source.picture, _taught(source), _vague(source)) for row, source in sources]
    drawn = []
    for index, (row, source) in enumerate(sources):
        picture, marks = with_drawn_mark(source, np.random.default_rng(index))
        drawn.append(_outcome(model, row, picture, marks, source.labels))
    for name, outcomes in (("real marks", real), ("drawn marks", drawn)):
        patients = [one.patient for one in outcomes]
        counts = [one.counts(settings.score_at) for one in outcomes]
        for title, statistic in (("recall", _recall), ("precision", _precision)):
            _report(f"{name}, {title} at score {settings.score_at}", counts, patients, statistic)
        _report(f"{name}, mAP50", outcomes, patients, mean_average_precision)
        log.info("%s: %d", name, sum(count[2] for count in counts))
        for score_at in (0.2, 0.3, 0.4, 0.5, 0.6):
            at = [one.counts(score_at) for one in outcomes]
            log.info("at %.1f: recall %.3f, precision %.3f", score_at, _recall(at), _precision(at))


def with_drawn_mark(source: Background, random: np.random.Generator) -> tuple[NDArray[np.uint8], list[Label]]:
    """Return a copy of the radiograph with one L or R and one other sign drawn clear of what is there."""
    picture = source.picture.copy()
    scale = max(picture.shape) / SIZE
    side = int(random.integers(2))
    height = scale * float(np.exp(random.uniform(np.log(12), np.log(64))))
    marks = place(picture, source.labels, side, draw_mark(SIDES[side], height, random), random)
    place(picture, [*source.labels, *marks], None, draw_words(random, scale * random.uniform(10, 40)), random)
    return picture, marks


def _taught(source: Background) -> list[Label]:
    return [one for one in source.labels if one.side is not None]


def _vague(source: Background) -> list[Label]:
    return [one for one in source.labels if one.side is None]


def _outcome(
    model: Model, row: CxrRow, picture: NDArray[np.uint8], marks: Sequence[Label], excused: Sequence[Label]
) -> Outcome:
    """Match boxes to marks of the same side at 50 % overlap, the surest first; boxes on excused places do not count."""
    found = model(radiograph(row, picture))[0]
    if not isinstance(found, Detection):
        raise TypeError(f"expected a Detection first, got {type(found).__name__}")
    free = list(marks)
    hits = []
    for box in sorted(found.boxes, key=lambda one: -one.probability):
        label = Label(SIDES.index(box.name), box.x1, box.y1, box.x2, box.y2)
        match = next((one for one in free if one.side == label.side and overlap(one, label) >= 0.5), None)
        if match is not None:
            free.remove(match)
        elif any(label.meets(one) for one in excused):
            continue
        hits.append((SIDES.index(box.name), box.probability, match is not None))
    sides = [one.side for one in marks]
    return Outcome(row.patient, tuple(hits), (sides.count(0), sides.count(1)))


def overlap(one: Label, other: Label) -> float:
    """Return intersection over union."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((label.x2 - label.x1) * (label.y2 - label.y1) for label in (one, other))
    return shared / (areas - shared)


def _recall(counts: Sequence[tuple[int, int, int]]) -> float:
    return sum(one[0] for one in counts) / max(sum(one[2] for one in counts), 1)


def _precision(counts: Sequence[tuple[int, int, int]]) -> float:
    return sum(one[0] for one in counts) / max(sum(one[0] + one[1] for one in counts), 1)


def mean_average_precision(outcomes: Sequence[Outcome]) -> float:
    """Return the area under the precision-recall curve, its precision made monotonous, mean over L and R."""
    areas = []
    for side in range(len(SIDES)):
        total = sum(one.truths[side] for one in outcomes)
        hits = sorted((hit for one in outcomes for hit in one.hits if hit[0] == side), key=lambda hit: -hit[1])
        right = np.cumsum([hit[2] for hit in hits]) if hits else np.zeros(1)
        precision = right / np.arange(1, len(right) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        areas.append(float(np.sum(np.diff(right / max(total, 1), prepend=0) * best)))
    return float(np.mean(areas))


def measure_contrast(folder: Path, folds: Path) -> None:
    """Log how the out-of-fold slices were answered, with the pipeline's thresholds and its rule for chest slices."""
    settings = ContrastSettings()
    slices = read_contrast(folder / "ct_contrast")
    dealt = folds_of([one.patient for one in slices], [one.enhanced for one in slices], FOLDS)
    answers: list[tuple[CtSlice, float]] = []
    for fold in range(FOLDS):
        rows = json.loads((folds / f"f{fold}" / "fold.json").read_text())
        held = [one for one, other in zip(slices, dealt, strict=True) if other == fold]
        answers.extend((one, float(row["probability"])) for one, row in zip(held, rows, strict=True))
    chest = [pair for pair in answers if lung_share(pair[0].hu, (pair[0].spacing_mm,) * 2) >= settings.lung_share]
    makers = sorted({one.manufacturer for one, _ in chest})
    groups = {"chest": chest, "outside the chest": [pair for pair in answers if pair not in chest], "all": answers}
    groups |= {f"chest, {maker}": [pair for pair in chest if pair[0].manufacturer == maker] for maker in makers}
    for name, pairs in groups.items():
        patients = [one.patient for one, _ in pairs]
        outcomes = [(one.enhanced, value) for one, value in pairs]
        _report(f"{name}, balanced accuracy at 0.5", outcomes, patients, balanced_accuracy)
        unsure = [settings.non_enhanced_at < value < settings.enhanced_at for _, value in outcomes]
        wrong = [(value >= 0.5) != truth and not vague for (truth, value), vague in zip(outcomes, unsure, strict=True)]
        log.info("%s: uncertain %d, wrong %d of %d", name, sum(unsure), sum(wrong), len(pairs))


def balanced_accuracy(outcomes: Sequence[tuple[bool, float]]) -> float:
    """Return the mean of sensitivity and specificity at 0.5; of the one class that is there where the other is not."""
    rates = []
    for wanted in (True, False):
        right = [(value >= 0.5) == truth for truth, value in outcomes if truth is wanted]
        if right:
            rates.append(float(np.mean(right)))
    return float(np.mean(rates))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _report(
    name: str, values: Sequence[Any], patients: Sequence[str], statistic: Callable[[Sequence[Any]], float] = _mean
) -> None:
    value, low, high = bootstrap(values, statistic, patients)
    count = len(set(patients))
    log.info("%s: %.3f (%.3f to %.3f), n = %d images of %d patients", name, value, low, high, len(values), count)


def main() -> None:
    """Measure one pipeline on the test patients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=["lung_cxr", "lr_mark_cxr", "contrast_ct"])
    parser.add_argument("--data", type=Path, required=True, help="folder with cxr/")
    parser.add_argument("--folds", type=Path, help="contrast_ct: folder whose subfolders hold fold.json")
    parser.add_argument("--part", choices=["tune", "test"], default="test")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    rows = getattr(split_cxr(read_cxr(options.data / "cxr")), options.part)
    if options.name == "contrast_ct":
        measure_contrast(options.data, options.folds)
    elif options.name == "lr_mark_cxr":
        measure_marks(rows)
    else:
        measure_lungs(rows)


if __name__ == "__main__":
    main()
