"""Model cards: what a weights entry is for, how good it is, and what the pipeline that reads it refuses."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from typing import Final

from rich.table import Table

from dicom_node.errors import DicomNodeError
from dicom_node.infer.tensorflow_process import NOT_INSTALLED, is_installed
from dicom_node.pipeline import Pipeline
from dicom_node.weights_store import Weights

NOTICE: Final = "None of these is a medical device."


def entries_table(entries: Sequence[Weights]) -> Table:
    """Return one line per entry."""
    table = Table("name", "recipe", "runs in", expand=True)
    table.add_column("quality", ratio=1, min_width=24)  # cut to what there is room for: the card has all of it
    table.add_column("licence")
    table.add_column("state")
    for column in (table.columns[0], table.columns[3]):  # name and quality
        column.no_wrap = True
    for entry in entries:
        said = [str(entry.card.get(key, "")) for key in ("quality", "licence")]
        table.add_row(entry.name, entry.recipe, entry.framework, *said, _state(entry))
    return table


def card_table(entry: Weights) -> Table:
    """Return everything that is known of one entry."""
    table = Table(show_header=False, title=entry.name, title_justify="left")
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    rows = {"recipe": entry.recipe, "file": f"{entry.path.name}, SHA-256 {entry.sha256}", "state": _state(entry)}
    for key, value in (rows | dict(entry.card)).items():
        table.add_row(key.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value))
    for pipeline in readers(entry.recipe):
        table.add_row(f"{pipeline.name} enforces", enforced(pipeline))
    table.add_row("", "Not a medical device.")
    return table


def enforced(pipeline: type[Pipeline]) -> str:
    """Return what a pipeline refuses, in its own words, and the settings that say where it draws the line."""
    said = (pipeline.refuse.__doc__ or "").strip()
    settings = pipeline().settings.model_dump(mode="json")
    return f"{said} Settings, by default: {', '.join(f'{name} {value}' for name, value in settings.items())}"


def readers(recipe: str) -> Iterator[type[Pipeline]]:
    """Yield the pipelines that come with the program and read a recipe."""
    package = importlib.import_module("pipelines")
    for module in pkgutil.iter_modules(package.__path__, "pipelines."):
        if module.ispkg:
            continue
        members = vars(importlib.import_module(module.name))
        own = [one for one in members.values() if isinstance(one, type) and one.__module__ == module.name]
        if recipe in members.get("RECIPES", ()):
            yield from (one for one in own if issubclass(one, Pipeline))


def _state(entry: Weights) -> str:
    try:
        entry.verify()
    except DicomNodeError as error:
        return str(error)
    return NOT_INSTALLED if entry.framework == "tensorflow" and not is_installed() else "ok"
