"""`dicom-node train`: from a folder of labelled images to an entry of the weights catalogue with its card."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dicom_node.config import Config
from dicom_node.datasets import Case, Dataset, read_dataset
from dicom_node.datasets.cases import Kind
from dicom_node.errors import RefusalError, WeightsError
from dicom_node.evaluate import STEERED_BY, Report, evaluate, open_subject
from dicom_node.imaging import read_image
from dicom_node.infer.engine import Engine, sample_of
from dicom_node.library import read_for, with_changes
from dicom_node.pipeline import Pipeline
from dicom_node.weights_import import check_name
from dicom_node.weights_store import Weights, known_weights
from pipelines.recipes import fill
from pipelines.training.card import Made, add_to_catalogue, write_card, write_entry
from pipelines.training.loop import Plan, Watch, fit, freeze
from pipelines.training.split import split_cases
from pipelines.training.task import Epochs, Task
from pipelines.training.tasks import task_for

CANDIDATE = "candidate"


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What a person decides about one training."""

    pipeline: str
    data: Path
    out: Path  # of the checkpoint, the split, the card and its pictures
    name: str  # of the new catalogue entry
    start: str = ""  # an entry to go on from
    layers: str = ""  # "head" or "all"; empty: the head of published weights, all of ours
    epochs: int = 0  # 0 is the task's
    rate: float = 0.0  # peak learning rate; 0 is the task's
    patience: int = 15
    steered: bool = True  # by validation patients, who choose the epoch; else they are trained on, and the last is kept
    fold: int = 0
    seed: int = 20261123
    device: str = "cpu"
    licence: str = "not stated: that of the images it was trained on"
    source: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """Who is told how far it is."""

    reading: Callable[[int], None] = lambda _total: None  # before the images are read
    read: Callable[[], None] = lambda: None  # after each
    training: Callable[[int, int], None] = lambda _epochs, _steps: None  # before the first step
    step: Callable[[int, float], None] = lambda _epoch, _loss: None
    scored: Callable[[str, float], None] = lambda _metric, _score: None


def train(config: Config, options: Options, told: Told) -> tuple[Weights, Report]:
    """Train, measure on the part that was kept back, and add the entry to the configuration's catalogue.

    Going on after a kill is calling it again with the same options.

    Raises:
        WeightsError: the name is taken, the recipe cannot be trained, or `out` is another training's.
        ObjectError: the data cannot be read or split.
    """
    check_name(config.weights_folder, options.name)
    started = _entry(config, options.start)
    task = task_for(options.pipeline, started.recipe if started else "")
    dataset = read_dataset(options.data)
    split = split_cases(dataset, options.fold, steered=options.steered)
    options.out.mkdir(parents=True, exist_ok=True)
    split.write(options.out / "split.csv")
    pipeline = Engine(with_changes(config, options.pipeline)).pipeline(options.pipeline)
    told.reading(len(split.train))
    epochs = Epochs(task, read_samples(task, pipeline, split.train, told.read), options.seed)
    plan = _plan(task, options, epochs, started, dataset)
    told.training(plan.epochs, plan.steps)
    torch.manual_seed(plan.seed)
    network = _network(task, options, started)
    judge = Judge(config, options, task, dataset.kind)

    def score(averaged: nn.Module) -> float:
        metric, sign = STEERED_BY[dataset.kind]
        value = judge.report(averaged, split.validation).metrics[metric].value
        told.scored(metric, value)
        return sign * value

    trained = fit(network, epochs, task.loss, plan, Watch(score if options.steered else None, told.step))
    report = judge.report(trained, split.test, options.out / "worst")
    source = options.source or f"{options.data.name}: {split}"
    made = Made(task, options.name, source, options.licence, started)
    write_card(options.out, made, report, split)
    return add_to_catalogue(config.weights_folder, options.out, made, report), report


def read_samples(task: Task, pipeline: Pipeline, cases: Iterable[Case], read: Callable[[], None]) -> list[Any]:
    """Prepare every image that the pipeline accepts.

    Raises:
        WeightsError: it accepts none.
    """
    samples: list[Any] = []
    reason = "there are none"
    for case in cases:
        try:
            image = read_for(
                pipeline, case.source, lambda stack: read_image(sample_of(pipeline, stack), pipeline.takes)
            )
        except RefusalError as error:
            reason = str(error)
        else:
            label = case.truth if isinstance(case.truth, str | tuple) else case.truth.read(image, task.classes)
            samples.extend(task.samples(image, label))
        read()
    if not samples:
        raise WeightsError(f"{task.pipeline} accepts none of the images to train on: {reason}")
    return samples


@dataclasses.dataclass(frozen=True, slots=True)
class Judge:
    """Measures a network as it would ship: exported, and told through the pipeline's own findings."""

    config: Config
    options: Options
    task: Task
    kind: Kind

    def report(self, network: nn.Module, cases: tuple[Case, ...], pictures: Path | None = None) -> Report:
        """Return the figures; pictures of the worst cases go to the folder `pictures`."""
        folder = self.options.out / CANDIDATE
        write_entry(folder, CANDIDATE, self.task, network)
        config = self.config.model_copy(update={"weights": folder.absolute()})
        subject = open_subject(config, self.options.pipeline, CANDIDATE, self.options.device)
        return evaluate(subject, self.kind, cases, pictures)


def _entry(config: Config, name: str) -> Weights | None:
    if not name:
        return None
    known = known_weights(config.weights_folder)
    if name not in known:
        raise WeightsError(f"no entry {name!r} in the catalogue; there are {', '.join(sorted(known))}")
    return known[name]


def _network(task: Task, options: Options, started: Weights | None) -> nn.Module:
    network = task.network()
    if started:
        network = fill(network, started, "cpu")
    layers = options.layers or ("head" if task.published else "all")
    kept = task.kept if started and not options.layers else ()
    freeze(network, task.head if layers == "head" else (), kept)
    return network.to(options.device)


def _plan(task: Task, options: Options, epochs: Epochs, started: Weights | None, dataset: Dataset) -> Plan:
    begun = started.sha256 if started else ""
    about = (task.recipe, options.layers, options.fold, options.steered, begun, _fingerprint(dataset))
    return Plan(
        options.out,
        options.epochs or task.epochs,
        epochs.steps,
        rate=options.rate or task.rate,
        average=task.average,
        seed=options.seed,
        patience=options.patience,
        about=repr(about),
    )


def _fingerprint(dataset: Dataset) -> str:
    """Tell one folder of images from another, and from itself with images added."""
    said = repr([(case.name, case.patient, case.part) for case in dataset.cases])
    return hashlib.sha256(said.encode()).hexdigest()[:16]
