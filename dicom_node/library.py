"""A model in three lines, without a node: `pipelines.load("lung_cxr").predict("image.dcm")`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dicom_node.config import Config, load_config
from dicom_node.demo.overlay import overlay_png, picture_png
from dicom_node.errors import ObjectError, RefusalError
from dicom_node.explain import stacks_at
from dicom_node.findings import Findings, Segmentation
from dicom_node.images import Image, Stack, Volume
from dicom_node.imaging import is_plain, read_image, read_plain, write_labels
from dicom_node.infer.engine import Engine
from dicom_node.results import Request, encode

DEFAULTS = Path(__file__).parents[1] / "config.toml"


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """What was read and what was found in it, on the same grid."""

    image: Image
    findings: Findings


class Loaded:
    """A pipeline that is ready to run."""

    def __init__(self, config: Config, name: str) -> None:
        """Load a `[pipelines.NAME]` section's model; raises ConfigError or WeightsError."""
        self._engine = Engine(config)
        self._engine.load(name)
        self.name = name
        self.pipeline = self._engine.pipeline(name)

    def predict(self, path: str | Path) -> Prediction:
        """Run on a DICOM file, a folder of one series, a NIfTI file or a picture.

        Raises:
            ObjectError: nothing at the path can be read, or several stacks there could be meant.
            RefusalError: the pipeline declines what is there; a file without a DICOM header is not asked about.
            ModelError: the model raised.
        """
        where = Path(path)
        if is_plain(where):
            image = read_plain(where, self.pipeline.takes)
            return Prediction(image, self._engine.apply(self.name, image))
        stacks = list(stacks_at(where))
        accepted = [stack for stack in stacks if not self.pipeline.refuse(stack)] or stacks
        if len(accepted) > 1:
            raise ObjectError(str(path), f"holds {len(accepted)} stacks; name a folder or file of one")
        return self.predict_stack(accepted[0])

    def predict_stack(self, stack: Stack) -> Prediction:
        """Run on one stack; raises as `predict` does."""
        if reason := self.pipeline.refuse(stack):
            raise RefusalError(reason)
        image = read_image(self.pipeline.sample(stack), self.pipeline.takes)
        return Prediction(image, self._engine.apply(self.name, image))


def load(name: str, weights: str | Mapping[str, str] = "", device: str = "cpu", **settings: Any) -> Loaded:
    """Return a pipeline of the default configuration, ready to run.

    Args:
        name: e.g. "lung_cxr".
        weights: a catalogue entry, or entries by role; those of the default configuration when left out.
        device: torch's name of the device.
        settings: the pipeline's own settings.
    """
    defaults = load_config(DEFAULTS)
    section = defaults.pipelines.get(name)
    values = section.model_dump() if section else {}
    changed = {**values, **settings, "device": device, **({"weights": weights} if weights else {})}
    document = {"folder": defaults.folder, "weights": defaults.weights, "pipelines": {name: changed}}
    return Loaded(Config.model_validate(document), name)


def run_to_files(config: Config, name: str, path: Path, out: Path) -> Iterator[Path]:
    """Run a pipeline on what is at a path, and write DICOM results, masks and pictures; yields each file."""
    out.mkdir(parents=True, exist_ok=True)
    loaded = Loaded(config, name)
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
            overlay_png(_source(stack), file.path, picture)
        elif file.kind == "SC":
            picture_png(file.path, picture)
        if picture.exists():
            yield picture


def _source(stack: Stack) -> Path:
    path = Path(stack.frames[0].path)
    return path if len(stack.frames) == 1 else path.parent
