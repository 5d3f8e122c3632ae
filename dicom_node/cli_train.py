"""`dicom-node train | evaluate`: a model on labelled images."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dicom_node.cli_shared import HERE, AsJson, ConfigPath, print_json, require_known, say
from dicom_node.cli_shared import out as console
from dicom_node.config import Config, load_config
from dicom_node.datasets import read_dataset
from dicom_node.errors import ConfigError

DataPath = Annotated[Path, typer.Option(help="The folder of labelled images; docs/data-layouts.md.")]
Pipeline = Annotated[str, typer.Argument(help="A pipeline, e.g. lung_cxr.")]


def evaluate(
    pipeline: Pipeline,
    data: DataPath,
    weights: Annotated[str, typer.Option(help="A catalogue entry; the configuration's when left out.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where metrics.json and the worst cases' pictures go.")] = None,
    part: Annotated[str, typer.Option(help="Only this part, where index.csv says train, validation or test.")] = "",
    device: Annotated[str, typer.Option(help="torch's name of the device.")] = "cpu",
    config: ConfigPath = HERE,
    *,
    as_json: AsJson = False,
) -> None:
    """Measure a model on labelled images, with 95 % intervals over patients."""
    evaluating = _frameworks("dicom_node.evaluate")
    settings = load_config(config)
    _require_pipeline(settings, pipeline)
    _require_folder(data)
    dataset = read_dataset(data).only(part) if part else read_dataset(data)
    subject = evaluating.open_subject(settings, pipeline, weights, device)
    if not as_json:
        _say_patients(dataset.patients_known)
    with progress(is_shown=not as_json) as bars:
        task = bars.add_task(pipeline, total=len(dataset.cases))
        pictures = out / "worst" if out else None
        report = evaluating.evaluate(subject, dataset.kind, dataset.cases, pictures, lambda: bars.advance(task))
    written = evaluating.write_report(report, out) if out else None
    if as_json:
        print_json("evaluate", {"report": report.to_json(), "file": written})
        return
    console.print(evaluating.render_report(report))
    for name, reason in report.refused.items():
        say(f"refused: {name}: {reason}")
    if written:
        say(str(written))


def _require_folder(data: Path) -> None:
    if not data.is_dir():
        raise ConfigError(f"{data}: there is no such folder")


def _require_pipeline(settings: Config, name: str) -> None:
    library = _frameworks("dicom_node.library")
    require_known(name, {*settings.pipelines, *library.pipeline_names()}, "pipeline", "[pipelines.NAME]")


@contextmanager
def progress(*, is_shown: bool = True) -> Iterator[Progress]:
    """Show bars with the time that is left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console, disable=not is_shown
    ) as bars:
        yield bars


def _say_patients(known: bool) -> None:
    if not known:
        say("Some images have no patient column and no PatientID: each counts as a patient of its own.")


def train(
    pipeline: Pipeline,
    data: DataPath,
    start: Annotated[str, typer.Option("--from", help="A catalogue entry to go on from, ours or imported.")] = "",
    name: Annotated[str, typer.Option("--as", help="The new entry's name; PIPELINE_trained when left out.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where checkpoint, split, card and pictures go.")] = None,
    epochs: Annotated[int, typer.Option(help="At most so many; 0 is the recipe's own number.", min=0)] = 0,
    rate: Annotated[float, typer.Option(help="Peak learning rate; 0 is the recipe's own.", min=0)] = 0.0,
    patience: Annotated[
        int, typer.Option(help="Epochs without a better score before stopping; 0 never, nor with --no-steer.", min=0)
    ] = 15,
    steer: Annotated[bool, typer.Option(help="No: train on the validation patients too; keep the last epoch.")] = True,
    layers: Annotated[str, typer.Option(help="head or all; the head of published weights, all of ours.")] = "",
    fold: Annotated[int, typer.Option(help="Which fifth of the patients measures, 0 to 4.", min=0, max=4)] = 0,
    seed: Annotated[int, typer.Option(help="Of every chance.")] = 20261123,
    device: Annotated[str, typer.Option(help="torch's name of the device.")] = "cpu",
    licence: Annotated[str, typer.Option(help="Of the new weights, for their card.")] = "",
    source: Annotated[str, typer.Option(help="What they were trained on, for their card.")] = "",
    config: ConfigPath = HERE,
    *,
    as_json: AsJson = False,
) -> None:
    """Train a model on labelled images, measure it on patients kept back, and add it to the catalogue.

    After a kill the same command goes on where it was.
    """
    training: Any = _frameworks("pipelines.training.run")
    settings = load_config(config)
    _require_pipeline(settings, pipeline)
    _require_folder(data)
    _frameworks("dicom_node.infer.devices").require_device("--device", device)
    name = name or f"{pipeline}_trained"
    given = {"licence": licence, "source": source}
    options = training.Options(
        pipeline=pipeline,
        data=data,
        out=out or Path("checkpoints") / name,
        name=name,
        start=start,
        layers=layers,
        epochs=epochs,
        rate=rate,
        patience=patience,
        steered=steer,
        fold=fold,
        seed=seed,
        device=device,
        **{key: value for key, value in given.items() if value},
    )
    with progress(is_shown=not as_json) as bars:
        entry, report = training.train(settings, options, _told(training, bars))
    card = options.out / "card.md"
    if as_json:
        print_json("train", {"entry": entry.name, "path": entry.path, "card": card, "report": report.to_json()})
        return
    console.print(_frameworks("dicom_node.evaluate").render_report(report))
    say(f"{entry.name}: {entry.path}; its card: {card}")
    console.print(f'Use it: [pipelines.{pipeline}] weights = "{entry.name}"', soft_wrap=True, markup=False)


def _told(training: Any, bars: Progress) -> Any:
    """Show a training's progress: images read, then steps, with the loss and the last score beside them."""
    reading = bars.add_task("reading", total=None)
    steps = bars.add_task("steps", total=None, visible=False)

    def begin(epochs: int, each: int) -> None:
        bars.update(steps, total=epochs * each, visible=True)

    def step(epoch: int, loss: float) -> None:
        bars.update(steps, advance=1, description=f"epoch {epoch + 1}, loss {loss:.4f}")

    def scored(metric: str, score: float) -> None:
        if not bars.disable:
            bars.console.print(f"{metric} on the validation part: {score:.4f}")

    def read(total: int) -> None:
        bars.update(reading, total=total)

    return training.Told(read, lambda: bars.advance(reading), begin, step, scored)


def _frameworks(module: str) -> Any:
    """Import what needs torch only now: the other commands start without it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != "monai":
            raise
        raise ConfigError("training needs MONAI: pip install -e '.[train]'") from error
