"""The pipelines of one configuration in this process: found, loaded once, kept warm."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any

import torch
from pydantic import ValidationError

from dicom_node.anatomy import judge
from dicom_node.config import Config, Implausible, PipelineSection
from dicom_node.config_words import did_you_mean, settings_sentences
from dicom_node.errors import ConfigError, ModelError, RefusalError, WeightsError
from dicom_node.findings import Findings, Remark
from dicom_node.images import Image, Photograph, Stack
from dicom_node.imaging import PixelLimits, read_image
from dicom_node.infer.devices import require_device
from dicom_node.infer.guarding import describe, guarded
from dicom_node.infer.tensorflow_process import TensorFlowProcess
from dicom_node.pipeline import Model, Pipeline, Watch
from dicom_node.weights_store import Weights, known_weights

NO_WEIGHTS = "no weights"


@dataclasses.dataclass(frozen=True, slots=True)
class _Loaded:
    model: Model
    weights: dict[str, str]  # entry name -> SHA-256


class Engine:
    """Runs pipelines by name on stacks; not safe to share among threads."""

    def __init__(self, config: Config, reading: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """`reading` is entered while a stack's pixels are read."""
        self._config = config
        self._pipelines: dict[str, Pipeline] = {}
        self._loaded: dict[str, _Loaded] = {}
        self._tensorflow = TensorFlowProcess(config)
        self._reading = reading
        self._limits = pixel_limits(config)
        if str(config.folder) not in sys.path:
            sys.path.append(str(config.folder))  # a site's own models may lie next to its config.toml

    def pipeline(self, name: str) -> Pipeline:
        """Return the pipeline of a `[pipelines.NAME]` section, built with its settings.

        Raises ConfigError when there is no such section, class or setting.
        """
        if name not in self._pipelines:
            self._pipelines[name] = _build(name, self._section(name))
        return self._pipelines[name]

    def load(self, name: str) -> None:
        """Make a pipeline's model ready; raises WeightsError when its weights are missing or altered."""
        self._model(name)

    def refusal(self, name: str, stack: Stack) -> str:
        """Say from the header, and from the weights that there are, why a pipeline will not run; "" when it may."""
        if reason := refusal_of(self.pipeline(name), stack):
            return reason
        try:
            self.weights(name)
        except WeightsError as error:
            return f"not run: {error}"
        return ""

    def run(self, name: str, stack: Stack) -> Findings:
        """Read the stack's pixels and run one pipeline on them.

        Raises:
            RefusalError: the pipeline declines the stack, its geometry is not regular, or what was found cannot be
                the organ that it is called (ImplausibleError).
            WeightsError: the pipeline has no weights, or not the ones that the catalogue states.
            ModelError: the model raised.
            MemoryError: reading the pixels or running the model needs more memory than there may be.
        """
        if reason := refusal_of(self.pipeline(name), stack):
            raise RefusalError(reason)
        self.load(name)  # before the pixels are read: without weights there is no need to
        image = self.read(name, stack)
        return self.judge(name, image, self.apply(name, image))

    def read(self, name: str, stack: Stack) -> Image:
        """Read the frames of a stack that a pipeline looks at, within `[workers]`' limits; raises as `read_image`."""
        pipeline = self.pipeline(name)
        with self._reading():
            return read_image(sample_of(pipeline, stack), pipeline.takes, self._limits)

    def apply(self, name: str, image: Image, watch: Watch | None = None) -> Findings:
        """Run one pipeline on an image, `watch`ed stage by stage, whatever anatomy allows; raises as `run` does."""
        pipeline, loaded = self.pipeline(name), self._model(name)
        with guarded(name, "the model"), torch.inference_mode():
            found = loaded.model(image, watch)
        if not isinstance(found, tuple):
            raise ModelError(f"{name}: finish returned {type(found).__name__}, not a tuple of findings")
        settings = {**pipeline.settings.model_dump(mode="json"), **self._changed_outcomes(name)}
        frames = tuple(one.number for one in image.stack.frames if one.number) if isinstance(image, Photograph) else ()
        remarks = tuple(Remark(text, of_source=True) for text in image.remarks)
        return Findings(pipeline.name, pipeline.version, loaded.weights, settings, (*found, *remarks), frames)

    def judge(self, name: str, image: Image, findings: Findings) -> Findings:
        """Return findings with remarks on what is unusual; raises ImplausibleError where `on_implausible` refuses."""
        outcomes = self._section(name).on_implausible.model_dump()
        with guarded(name, "organs"):
            organs = self.pipeline(name).organs()
        found = judge(findings.found, image, organs, outcomes)
        return dataclasses.replace(findings, found=found)

    def _changed_outcomes(self, name: str) -> dict[str, Any]:
        """Return `on_implausible` where it is changed: remarks enter objects, whose UIDs follow from the settings."""
        outcomes = self._section(name).on_implausible
        return {} if outcomes == Implausible() else {"on_implausible": outcomes.model_dump()}

    def answers(self) -> dict[str, tuple[str, ...]]:
        """Return what each gate of the configuration may answer beside "uncertain".

        Raises ConfigError where a gate's pipeline does not answer the question of the gate's name.
        """
        found = {}
        for gate, section in self._config.gates.items():
            known = self.pipeline(section.pipeline).answers
            if gate not in known:
                questions = f"it answers {', '.join(known)}" if known else "its class declares no `answers`"
                raise ConfigError(
                    f"[gates.{gate}] pipeline {section.pipeline!r} does not answer {gate!r}: "
                    f"{questions}{did_you_mean(gate, known)}"
                )
            found[gate] = known[gate]
        return found

    def claim(self, name: str, stack: Stack) -> tuple[str, str]:
        """Return what the header says to a gate's question, and why."""
        with guarded(name, "claim"):
            value, because = self.pipeline(name).claim(stack)
            return str(value), str(because)

    def weights(self, name: str) -> dict[str, Weights]:
        """Return a section's catalogue entries by role, unread; raises WeightsError when one is missing."""
        section = self._section(name)
        if not section.weights_by_role and self.pipeline(name).needs_weights:
            raise WeightsError(f"{NO_WEIGHTS} for {name}: name an entry in [pipelines.{name}] weights")
        known = known_weights(self._config.weights_folder) if section.weights_by_role else {}
        missing = [entry for entry in section.weights_by_role.values() if entry not in known]
        if missing:
            where = f"among those that come with the program or in {self._config.weights_folder}"
            raise WeightsError(f"{NO_WEIGHTS} for {name}: {missing[0]!r} is not {where}")
        return {role: known[entry] for role, entry in section.weights_by_role.items()}

    def _section(self, name: str) -> PipelineSection:
        try:
            return self._config.pipelines[name]
        except KeyError:
            raise ConfigError(f"no [pipelines.{name}] in the configuration") from None

    def _model(self, name: str) -> _Loaded:
        if name not in self._loaded:
            weights = self.weights(name)
            for entry in weights.values():
                entry.verify()
            device = self._section(name).device
            if not weights or any(entry.framework == "torch" for entry in weights.values()):
                require_device(f"[pipelines.{name}] device", device)
            opened = {role: self._tensorflow.opened(entry, device) for role, entry in weights.items()}
            with guarded(name, "load"):
                model = self.pipeline(name).load(opened, device)
            if not isinstance(model, Model):
                raise ModelError(f"{name}: load returned {type(model).__name__}, not a Model")
            self._loaded[name] = _Loaded(model, {entry.name: entry.sha256 for entry in weights.values()})
        return self._loaded[name]


def pixel_limits(config: Config) -> PixelLimits:
    """Return how many pixels are decoded of a frame and of a stack, and in what time."""
    workers = config.workers
    return PixelLimits(workers.max_frame_megapixels, workers.max_stack_megapixels, workers.decode_timeout_s)


def _build(name: str, section: PipelineSection) -> Pipeline:
    module_name, _, class_name = (section.use or f"pipelines.{name}").partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(f"[pipelines.{name}] cannot import {module_name!r}: {error}") from error
    except Exception as error:
        raise ConfigError(f"[pipelines.{name}] {describe(error, f'importing {module_name!r}')}") from error
    kinds = [kind for kind in _pipelines_of(module) if kind.__name__ == class_name or not class_name]
    if len(kinds) != 1:
        raise ConfigError(
            f"[pipelines.{name}] {module_name!r} has {len(kinds)} pipelines named {class_name or 'at all'}"
        )
    try:
        return kinds[0](section.settings)
    except ValidationError as error:
        known = [*PipelineSection.model_fields, *kinds[0].settings_type.model_fields]
        raise ConfigError(f"[pipelines.{name}] {'; '.join(settings_sentences(error, known))}") from error
    except Exception as error:
        raise ConfigError(f"[pipelines.{name}] {describe(error, kinds[0].__name__)}") from error


def refusal_of(pipeline: Pipeline, stack: Stack) -> str:
    """Return why a pipeline declines a stack from its header alone, "" when it does not; raises ModelError."""
    with guarded(pipeline.name, "refuse"):
        reason = pipeline.refuse(stack)
    if not isinstance(reason, str | None):
        raise ModelError(f"{pipeline.name}: refuse returned {reason!r}, not a sentence or None")
    return reason or ""


def sample_of(pipeline: Pipeline, stack: Stack) -> Stack:
    """Return the stack with the frames that a pipeline looks at; raises ModelError."""
    with guarded(pipeline.name, "sample"):
        return pipeline.sample(stack)


def _pipelines_of(module: ModuleType) -> Iterator[type[Pipeline]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Pipeline) and value.__module__ == module.__name__:
            yield value
