"""A model in three lines, without a node: `pipelines.load("lung_cxr").predict("image.dcm")`."""

from __future__ import annotations

import dataclasses
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dicom_node import shipped
from dicom_node.config import Config, load_config
from dicom_node.config_words import validation_sentences
from dicom_node.demo.overlay import overlay_png, picture_png
from dicom_node.errors import ConfigError, ModelError, ObjectError, RefusalError
from dicom_node.explain import stacks_at
from dicom_node.findings import Findings, Segmentation
from dicom_node.images import Image, Stack, Volume
from dicom_node.imaging import is_plain, read_plain, write_labels
from dicom_node.infer.engine import Engine, refusal_of
from dicom_node.pipeline import Pipeline, Stage
from dicom_node.results import Request, encode

Arrays: TypeAlias = dict[str, NDArray[Any]]
Reading: TypeAlias = Callable[[], AbstractContextManager[None]]

RAW = "raw.npz"


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """What was read and what was found in it, on the same grid."""

    image: Image
    findings: Findings


class Loaded:
    """A pipeline that is ready to run."""

    def __init__(self, config: Config, name: str, reading: Reading = nullcontext) -> None:
        """Load a `[pipelines.NAME]` section's model; raises ConfigError or WeightsError.

        `reading` is entered while a stack's pixels are read. `[workers]` limits how many those are, and in what time.
        """
        self._engine = Engine(config, reading)
        self._engine.load(name)
        self.name = name
        self.pipeline = self._engine.pipeline(name)
        self.weights = self._engine.weights(name)  # catalogue entries by role

    def predict(self, source: str | Path | Stack) -> Prediction:
        """Run on a DICOM file, a folder of one series, a NIfTI file, a picture, or a stack; raises as `read_for`.

        Raises:
            ModelError: the model raised, or more memory was needed than there is.
            ImplausibleError: what was found cannot be the organ that it is called.
        """
        with _enough_memory(self.name):
            image = self._read(source)
            return Prediction(image, self._engine.judge(self.name, image, self._engine.apply(self.name, image)))

    def predict_raw(self, source: str | Path | Stack) -> tuple[Prediction, Arrays]:
        """Run as `predict` does, and show what went into the network, what came out, and the mask that it made.

        Nothing is refused as implausible: what is asked for is what the network does.
        A NIfTI file is used in its stored axes where the program that the weights were published with did so.

        Returns:
            The prediction, and arrays by name: `pre`, `out`, `mask` in the layout of the weights' publication; for
            the kidney cascade `<mode>/in<i>`, `<mode>/out<i>` and `<mode>/mask`.

        Raises as `predict` does.
        """
        with _enough_memory(self.name):
            return self._predict_raw(self._read(source, stored_axes=self.pipeline.raw_in_stored_axes))

    def _read(self, source: str | Path | Stack, *, stored_axes: bool = False) -> Image:
        return read_for(self.pipeline, source, partial(self._engine.read, self.name), stored_axes=stored_axes)

    def _predict_raw(self, image: Image) -> tuple[Prediction, Arrays]:
        shown: Arrays = {}

        def watch(stage: Stage, batch: Any, output: Any) -> None:
            show = getattr(stage, "raw", None)
            shown.update(show(batch, output, image) if show else _arrays(pre=batch, out=output))

        findings = self._engine.apply(self.name, image, watch)
        for found in findings.of(Segmentation):
            shown.setdefault("mask", found.labels)
        return Prediction(image, findings), shown


@contextmanager
def _enough_memory(name: str) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise ModelError(f"{name}: more memory was needed than there is") from error


def _arrays(**values: Any) -> Arrays:
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def read_for(
    pipeline: Pipeline, source: str | Path | Stack, read: Callable[[Stack], Image], *, stored_axes: bool = False
) -> Image:
    """Read a DICOM file, a folder of one series, a NIfTI file, a picture, or a stack as a pipeline takes it.

    `read` reads a stack's pixels; `stored_axes` leaves a NIfTI file's axes as they are, not brought to LPS.

    Raises:
        ObjectError: nothing there can be read, or several stacks there could be meant.
        RefusalError: the pipeline declines what is there; a file without a DICOM header is not asked about.
    """
    if not isinstance(source, Stack):
        path = Path(source)
        if is_plain(path):
            return _plain(pipeline, path, stored_axes=stored_axes)
        source = _only_stack(pipeline, path)
    if reason := refusal_of(pipeline, source):
        raise RefusalError(reason)
    return read(source)


def _plain(pipeline: Pipeline, path: Path, *, stored_axes: bool) -> Image:
    image = read_plain(path, pipeline.takes, stored_axes=stored_axes)
    if image.stack.text("windowed") and not pipeline.takes_windowed:
        raise RefusalError(f"{path.name} is a picture; {pipeline.name} needs the scanner's own numbers, DICOM or NIfTI")
    return image


def _only_stack(pipeline: Pipeline, path: Path) -> Stack:
    stacks = list(stacks_at(path))
    accepted = [stack for stack in stacks if not refusal_of(pipeline, stack)] or stacks
    if len(accepted) > 1:
        raise ObjectError(str(path), f"holds {len(accepted)} stacks; name a folder or file of one")
    return accepted[0]


def pipeline_names() -> list[str]:
    """Return the names of the pipelines that come with the program."""
    names = [module.name for module in pkgutil.iter_modules(import_module("pipelines").__path__) if not module.ispkg]
    return [name for name in names if _is_pipeline(name)]


def _is_pipeline(name: str) -> bool:
    members = vars(import_module(f"pipelines.{name}")).values()
    return any(
        isinstance(member, type) and issubclass(member, Pipeline) and member.__module__ == f"pipelines.{name}"
        for member in members
    )


def load(name: str, weights: str | Mapping[str, str] = "", device: str = "cpu", **settings: Any) -> Loaded:
    """Return a pipeline of the default configuration, ready to run.

    Args:
        name: e.g. "lung_cxr".
        weights: a catalogue entry, or entries by role; those of the default configuration when left out.
        device: torch's name of the device.
        settings: the pipeline's own settings.
    """
    return load_from(load_config(shipped.CONFIG), name, weights, device=device, **settings)


def load_from(config: Config, name: str, weights: str | Mapping[str, str] = "", **changes: Any) -> Loaded:
    """Return a pipeline of a configuration, ready to run, with other weights or settings where they are given."""
    return Loaded(with_changes(config, name, weights, **changes), name)


def with_changes(config: Config, name: str, weights: str | Mapping[str, str] = "", **changes: Any) -> Config:
    """Return a configuration of one pipeline alone, changed; it need not have had a section for it."""
    section = config.pipelines.get(name)
    values = section.model_dump() if section else {}
    changed = {**values, **changes, **({"weights": weights} if weights else {})}
    kept = {"folder": config.folder, "weights": config.weights_folder, "workers": config.workers}
    document = {**kept, "pipelines": {name: changed}}
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError("\n".join(validation_sentences(error, document, {}))) from error


def run_to_files(config: Config, loaded: Loaded, path: Path, out: Path, *, raw: bool = False) -> Iterator[Path]:
    """Run a pipeline on what is at a path, and write DICOM results, masks and pictures; yields each file.

    `raw` also writes raw.npz with what `predict_raw` shows.
    """
    out.mkdir(parents=True, exist_ok=True)
    if raw:
        prediction, shown = loaded.predict_raw(path)
        np.savez(out / RAW, **shown)  # type: ignore[arg-type]  # names are keywords
        yield out / RAW
    else:
        prediction = loaded.predict(path)
    yield from _masks(prediction, out)
    if not is_plain(path):
        yield from _objects(config, loaded, prediction, out)


def _masks(prediction: Prediction, out: Path) -> Iterator[Path]:
    for number, found in enumerate(prediction.findings.of(Segmentation), 1):
        stem = f"{prediction.findings.pipeline}-{number}"
        if isinstance(prediction.image, Volume):
            path = out / f"{stem}.nii.gz"
            write_labels(found.labels, prediction.image, path)
        else:
            path = out / f"{stem}.png"
            cv2.imwrite(str(path), found.labels[0].astype(np.uint8))
        yield path


def _objects(config: Config, loaded: Loaded, prediction: Prediction, out: Path) -> Iterator[Path]:
    stack = prediction.image.stack
    outputs = config.pipelines[loaded.name].outputs
    request = Request(prediction.findings, stack, outputs, datetime.now(UTC), loaded.pipeline.title)
    for file in encode(request, out):
        yield file.path
        picture = file.path.with_suffix(".png")
        if file.kind == "SEG":
            overlay_png(stack, file.path, picture)
        elif file.kind in ("SC", "PAGE"):
            picture_png(file.path, picture)
        if picture.exists():
            yield picture
