"""Figures over all folds of a cross-validation: python -m pipelines.training.pooled FOLDER FOLDER ...

Each FOLDER is one fold's `--out` of `dicom-node train NAME --fold K`; every image is measured once, by the network that
did not see its patient. For masks and labels; boxes are matched image by image and cannot be pooled afterwards.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from dicom_node.datasets import Case
from dicom_node.errors import ObjectError
from dicom_node.evaluate import Report, render_report
from dicom_node.evaluate.classes import Answered
from dicom_node.evaluate.report import METRICS, Measured
from dicom_node.evaluate.scoring import ClassScorer, MaskScorer, Score


def pool(folders: list[Path]) -> Report:
    """Return the report of all folds together; ObjectError where an image was measured twice."""
    folds = [json.loads((folder / METRICS).read_text()) for folder in folders]
    rows = [row for fold in folds for row in fold["cases"]]
    names = [row["file"] for row in rows]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ObjectError(repeated[0], "was measured in more than one fold")
    kind = folds[0]["kind"]
    if kind == "boxes":
        raise ObjectError(str(folders[0]), "measures boxes, which cannot be pooled")
    scorer = MaskScorer({}) if kind == "masks" else ClassScorer()
    measured = tuple(_measured(row, kind) for row in rows)
    figures = scorer.figures([one.score for one in measured], [one.case.patient for one in measured])
    weights = {name: sha256 for fold in folds for name, sha256 in fold["weights"].items()}
    refused = {row["file"]: row["reason"] for fold in folds for row in fold["refused"]}
    return Report(folds[0]["task"], weights, kind, figures, measured, refused)


def _measured(row: dict[str, Any], kind: str) -> Measured:
    values = {key: value for key, value in row.items() if key not in ("file", "patient") and value is not None}
    case = Case(row["file"], Path(row["file"]), row["patient"], str(row.get("label", "")))
    if kind == "masks":
        return Measured(case, Score(values, values["dsc"], detail=True))
    scores = {key: value for key, value in values.items() if isinstance(value, float)}
    answer = Answered(row["label"], scores, row["answer"] not in scores)
    return Measured(case, Score(values, scores[row["label"]], answer))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    Console().print(render_report(pool(parser.parse_args().folders)))


if __name__ == "__main__":
    main()
