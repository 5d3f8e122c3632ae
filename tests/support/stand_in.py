"""Pipelines without weights that find something fixed, wait, or die: what the engine's tests run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dicom_node.pipeline import (
    Classification,
    Code,
    Finding,
    Model,
    Pipeline,
    Radiograph,
    Segment,
    Segmentation,
    Settings,
    Stack,
    Volume,
    Weights,
)

LUNG = Code("39607008", "SCT", "Lung")
ORGAN = Code("91723000", "SCT", "Anatomical Structure")
QUESTION = Code("contrast", "99TEST", "Contrast")
ANSWER = Code("enhanced", "99TEST", "Enhanced")


class StandInSettings(Settings):
    """What a stand-in does instead of thinking."""

    seconds: float = 0.0
    megabytes: int = 0  # of memory that it fills
    dies_while: str = ""  # a file: while it is there, the process kills itself
    dies_once: str = ""  # a file: the process that finds it removes it and kills itself
    declines: str = ""  # said by refuse


class _Stage:
    def __init__(self, settings: StandInSettings) -> None:
        self._settings = settings

    def prepare(self, image: Any, _previous: Any) -> Any:
        return image

    def infer(self, batch: Any) -> Any:
        time.sleep(self._settings.seconds)
        np.ones(self._settings.megabytes << 20, np.uint8)
        if self._settings.dies_while and Path(self._settings.dies_while).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if self._settings.dies_once and Path(self._settings.dies_once).exists():
            Path(self._settings.dies_once).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return batch

    def finish(self, output: Any, _image: Any) -> tuple[Finding, ...]:
        raise NotImplementedError


class _Square(_Stage):
    """Marks the middle of the picture."""

    def finish(self, _output: Any, image: Any) -> tuple[Finding, ...]:
        rows, columns = image.picture.shape
        labels = np.zeros((1, rows, columns), np.uint8)
        labels[0, rows // 4 : rows // 2, columns // 4 : columns // 2] = 1
        return (Segmentation(labels, (Segment(1, "middle", ORGAN, LUNG, (80, 160, 240)),)),)


class _Block(_Stage):
    """Marks the middle of every slice."""

    def finish(self, _output: Any, image: Any) -> tuple[Finding, ...]:
        labels = np.zeros(image.array.shape, np.uint8)
        labels[:, 1:-1, 1:-1] = 1
        return (Segmentation(labels, (Segment(1, "middle", ORGAN, LUNG, (80, 160, 240)),)),)


class _Threshold(_Stage):
    """Calls a volume enhanced when anything in it is above 150 HU."""

    def finish(self, _output: Any, image: Any) -> tuple[Finding, ...]:
        value = "enhanced" if image.array.max() > 150 else "non-enhanced"
        return (Classification("contrast", QUESTION, value, ANSWER, 0.9),)


class StandIn(Pipeline):
    """Marks a square on a radiograph."""

    name = "stand_in"
    version = "1"
    title = "Stand-in"
    takes: ClassVar[type[Volume] | type[Radiograph]] = Radiograph
    settings_type: ClassVar[type[StandInSettings]] = StandInSettings
    needs_weights = False
    settings: StandInSettings

    def refuse(self, stack: Stack) -> str | None:
        if self.settings.declines:
            return self.settings.declines
        return None if stack.text("kind") == "radiograph" else "not a radiograph"

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        assert not weights
        assert device == "cpu"
        return Model([_Square(self.settings)])


class StandInGate(StandIn):
    """Looks at a volume's brightest voxel."""

    name = "stand_in_gate"
    takes = Volume
    answers: ClassVar[Mapping[str, tuple[str, ...]]] = {"contrast": ("enhanced", "non-enhanced")}

    def refuse(self, stack: Stack) -> str | None:
        return None if stack.text("kind") == "volume" else "not a volume"

    def claim(self, stack: Stack) -> tuple[str, str]:
        return ("enhanced", "the agent is named") if stack.text("ContrastBolusAgent") else ("", "no agent")

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        assert not weights
        assert device == "cpu"
        return Model([_Threshold(self.settings)])


class StandInOrgan(StandIn):
    """Marks the middle of a volume."""

    name = "stand_in_organ"
    takes = Volume

    def refuse(self, stack: Stack) -> str | None:
        return None if stack.text("kind") == "volume" else "not a volume"

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        assert not weights
        assert device == "cpu"
        return Model([_Block(self.settings)])
