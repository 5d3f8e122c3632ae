"""What a training leaves behind: the weights, their card, and their entry in the catalogue."""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import shutil
from pathlib import Path

from torch import nn

from dicom_node.evaluate import CLASSES_KEY, IGNORE_KEY, Report, write_report
from dicom_node.modes import make_like_folder
from dicom_node.weights_import import Value, append_entry
from dicom_node.weights_store import CATALOG, Weights, read_catalog
from pipelines.training.loop import export
from pipelines.training.split import Split
from pipelines.training.task import Task

NOT_A_DEVICE = "Not a medical device."


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """What was trained, and from what."""

    task: Task
    name: str
    source: str
    licence: str
    started: Weights | None

    def card(self, report: Report) -> dict[str, Value]:
        """Return the entry's card."""
        values: dict[str, Value] = {"recipe": self.task.recipe, **_reading(self.task)}
        values["trained"] = datetime.datetime.now(datetime.UTC).date()
        if self.started:
            values["started_from"] = f"{self.started.name} ({self.started.sha256})"
        return {
            **values,
            "licence": self.licence,
            "source": self.source,
            "intended_use": f"Research: {_purpose(self.task.pipeline)} {NOT_A_DEVICE}",
            "limits": f"Measured on these images only; what is refused, {self.task.pipeline} decides. {NOT_A_DEVICE}",
            "quality": f"Held-out patients: {report.sentence()}.",
        }


def _purpose(pipeline: str) -> str:
    """Return what a pipeline's file says that it is about."""
    return str(importlib.import_module(f"pipelines.{pipeline}").__doc__ or pipeline).strip().partition("\n")[0]


def _reading(task: Task) -> dict[str, Value]:
    """Return how a mask's values are read."""
    values: dict[str, Value] = {CLASSES_KEY: list(task.classes)} if task.classes else {}
    return values | ({IGNORE_KEY: task.ignore} if task.ignore is not None else {})


def write_entry(folder: Path, name: str, task: Task, network: nn.Module) -> None:
    """Write a network as the only entry of a catalogue of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}.safetensors"
    sha256 = export(network, folder / file, half=not task.published)
    (folder / CATALOG).unlink(missing_ok=True)
    append_entry(folder, name, {"file": file, "sha256": sha256, "recipe": task.recipe, **_reading(task)})


def add_to_catalogue(folder: Path, out: Path, made: Made, report: Report) -> Weights:
    """Copy the measured weights to the catalogue's folder and add their entry."""
    (measured,) = read_catalog(out / "candidate").values()
    make_like_folder(folder)
    file = f"{made.name}.safetensors"
    shutil.copyfile(measured.path, folder / file)
    append_entry(folder, made.name, {"file": file, "sha256": measured.sha256, **made.card(report)})
    return read_catalog(folder)[made.name]


def write_card(out: Path, made: Made, report: Report, split: Split) -> None:
    """Write metrics.json and card.md: what a person must know before the weights are used."""
    write_report(report, out)
    card, figures = made.card(report), report.metrics.items()
    pictures = [f"![{path.stem}](worst/{path.name})" for path in sorted((out / "worst").glob("*.png"))]
    lines = [
        f"# {made.name}",
        "",
        f"**{NOT_A_DEVICE}**",
        "",
        *(f"- {key.replace('_', ' ')}: {value}" for key, value in card.items()),
        f"- split: {split}; by patient (split.csv)",
        "",
        "| metric, on the test part | value | 95 % interval over patients | images |",
        "|---|---|---|---|",
        *(f"| {name} | {one.value:.3f} | {one.low:.3f} to {one.high:.3f} | {one.n} |" for name, one in figures),
        "",
        "## The worst cases",
        "",
        *pictures,
    ]
    (out / "card.md").write_text("\n".join(lines) + "\n")
