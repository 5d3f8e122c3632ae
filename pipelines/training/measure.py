"""Measure shipped weights through their pipelines: python -m pipelines.training.measure NAME --data DIR.

NAME is lung_cxr, lr_mark_cxr or contrast_ct. Figures carry 95 % bootstrap intervals over patients. Nothing is chosen
here: thresholds are the settings' defaults. The contrast gate has no patients left over, so it is measured by the folds
that `pipelines.training.contrast_ct --fold` wrote.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dicom_node.images import Frame, Radiograph, Stack
from dicom_node.pipeline import Segmentation
from dicom_node.weights_store import read_catalog
from pipelines.lung_cxr import LungCXR
from pipelines.training.data import CxrRow, bootstrap, read_cxr, read_grey, split_cxr
from pipelines.training.lung_cxr import IGNORE, dice, sides

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


def _report(name: str, values: Sequence[float], patients: Sequence[str]) -> None:
    mean, low, high = bootstrap(values, lambda chosen: float(np.mean(chosen)), patients)
    count = len(set(patients))
    log.info("%s: %.3f (%.3f to %.3f), n = %d images of %d patients", name, mean, low, high, len(values), count)


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
    measure_lungs(rows)


if __name__ == "__main__":
    main()
