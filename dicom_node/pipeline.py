"""The plugin surface: what a model file imports, and what it must offer.

One file and one section of config.toml add a model. The class says what it takes, refuses what it should not see,
and loads to stages of three steps each: `prepare` on the CPU, `infer` on the device, `finish` back on the source grid.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

from dicom_node.anatomy import Bound, Organ, age_years, with_removed
from dicom_node.errors import RefusalError, WeightsError
from dicom_node.findings import (
    Box,
    Classification,
    Code,
    Detection,
    ErasedImage,
    Finding,
    Measurement,
    Remark,
    Segment,
    Segmentation,
)
from dicom_node.images import Image, Photograph, Radiograph, Stack, Takes, Volume
from dicom_node.patterns import HeaderPattern, blanked, matches_whole, replace, search
from dicom_node.weights_store import BareNetwork, Shape, Weights

__all__ = [
    "BareNetwork",
    "Bound",
    "Box",
    "Classification",
    "Code",
    "Detection",
    "ErasedImage",
    "Finding",
    "HeaderPattern",
    "Image",
    "Measurement",
    "Model",
    "Organ",
    "Photograph",
    "Pipeline",
    "Radiograph",
    "RefusalError",
    "Remark",
    "Segment",
    "Segmentation",
    "Settings",
    "Shape",
    "Stack",
    "Stage",
    "Volume",
    "Weights",
    "WeightsError",
    "age_years",
    "blanked",
    "matches_whole",
    "replace",
    "search",
    "with_removed",
]

Found: TypeAlias = tuple[Finding, ...]


class Settings(BaseModel):
    """Base of a pipeline's own settings in `[pipelines.NAME]`; an unknown keyword is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(Protocol):
    """One network with its own preparation and finish."""

    def prepare(self, image: Any, previous: Found | None) -> Any:
        """Turn the image, and the stage before's findings, into one batch on the CPU."""

    def infer(self, batch: Any) -> Any:
        """Run the network on its device."""

    def finish(self, output: Any, image: Any) -> Found:
        """Turn the network's output into findings on the source grid."""


Watch: TypeAlias = Callable[[Stage, Any, Any], None]
"""Stage, its batch, its output."""


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """A loaded pipeline: stages that run in order, the last one's findings are the result."""

    stages: Sequence[Stage]

    def __call__(self, image: Image, watch: Watch | None = None) -> Found:
        """Run every stage on one image; `watch` sees each one's batch and output."""
        found: Found | None = None
        for stage in self.stages:
            batch = stage.prepare(image, found)
            output = stage.infer(batch)
            if watch is not None:
                watch(stage, batch, output)
            found = stage.finish(output, image)
        return found or ()


class Pipeline(ABC):
    """One model behind the gateway.

    A subclass sets the class variables; `settings` holds the section's own keys, validated by `settings_type`.
    `version` changes with anything that changes the result other than weights and settings.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    title: ClassVar[str]  # for people, e.g. "Contrast enhancement of CT"
    takes: ClassVar[Takes]
    settings_type: ClassVar[type[Settings]] = Settings
    takes_windowed: ClassVar[bool] = False  # of volumes: whether a picture of one slice, windowed to 8 bits, will do
    needs_weights: ClassVar[bool] = True  # False for an algorithm that has no tensors
    answers: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """For a gate: question -> every answer but "uncertain". The gate's section has the question's name."""
    raw_in_stored_axes: ClassVar[bool] = (
        True  # whether `run --raw` uses a NIfTI file's axes as its weights' program did
    )

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self.settings = self.settings_type.model_validate(settings or {})

    @abstractmethod
    def refuse(self, stack: Stack) -> str | None:
        """Say from the header alone why this stack must not be run, in words for a person; None when it may."""

    @abstractmethod
    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build the model from its weights, keyed by role ("" when there is one), on a torch device name.

        An entry's `path` holds its tensors; where TensorFlow runs the entry, `network` is a function of arrays.

        Raises WeightsError when an entry's recipe is none of this pipeline's or its tensors do not fit.
        """

    def sample(self, stack: Stack) -> Stack:
        """Return the stack with the frames that the model looks at; all of them unless a film is too long for that."""
        return stack

    def organs(self) -> Sequence[Organ]:
        """Return what anatomy allows of the segments; what lies outside follows `[pipelines.NAME] on_implausible`."""
        return ()

    def claim(self, stack: Stack) -> tuple[str, str]:  # noqa: ARG002  # subclasses read it
        """For a gate: what the header says to the same question, and why; ("", reason) when it says nothing."""
        return "", "this gate reads no header claim"
