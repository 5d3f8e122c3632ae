"""A site's own pipelines as the fault tests need them: no weights, 50 ms, and they stop where they are told to.

The file is copied beside config.toml. Each model touches SIGNALS/reached-STEP, and the same with its
process's id, when it begins, and stays while SIGNALS/hold-STEP is there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dicom_node.images import Takes
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

_LIVER = Code("10200004", "SCT", "Liver")
_ORGAN = Code("91723000", "SCT", "Anatomical Structure")
_QUESTION = Code("contrast", "99TEST", "Contrast")
_ANSWER = Code("enhanced", "99TEST", "Enhanced")
_HOLD_AT_MOST_S = 120.0


class SignalSettings(Settings):
    """Where the tests' signals lie, and how long thinking takes."""

    signals: str = ""  # a folder; without one, no signal is given or waited for
    seconds: float = 0.05


class _Stage:
    step: ClassVar[str]

    def __init__(self, settings: SignalSettings) -> None:
        self._settings = settings

    def prepare(self, image: Any, _previous: Any) -> Any:
        return image

    def finish(self, output: Any, image: Any) -> tuple[Finding, ...]:
        raise NotImplementedError

    def infer(self, batch: Any) -> Any:
        if self._settings.signals:
            self._wait(Path(self._settings.signals))
        return batch

    def _wait(self, signals: Path) -> None:
        (signals / f"reached-{self.step}").touch()
        (signals / f"reached-{self.step}-{os.getpid()}").touch()
        time.sleep(self._settings.seconds)
        deadline = time.monotonic() + _HOLD_AT_MOST_S
        while (signals / f"hold-{self.step}").exists() and time.monotonic() < deadline:
            time.sleep(0.01)


class _Gate(_Stage):
    step = "gating"

    def finish(self, _output: Any, _image: Any) -> tuple[Finding, ...]:
        return (Classification("contrast", _QUESTION, "enhanced", _ANSWER, 0.9),)


class _Marker(_Stage):
    step = "inferring"

    def finish(self, _output: Any, image: Any) -> tuple[Finding, ...]:
        labels = np.ones(image.array.shape, np.uint8)  # (slices, rows, columns)
        return (Segmentation(labels, (Segment(1, "all of it", _ORGAN, _LIVER, (80, 160, 240)),)),)


class SlowGate(Pipeline):
    """Calls every volume enhanced."""

    name = "slow_gate"
    version = "1"
    title = "Slow gate"
    takes: ClassVar[Takes] = Volume
    settings_type = SignalSettings
    needs_weights = False
    stage: ClassVar[type[_Stage]] = _Gate
    settings: SignalSettings

    def refuse(self, stack: Stack) -> str | None:
        """Take volumes only."""
        return None if stack.text("kind") == "volume" else "not a volume"

    def load(self, _weights: Mapping[str, Weights], _device: str) -> Model:
        """Return the model."""
        return Model([self.stage(self.settings)])


class SlowMarker(SlowGate):
    """Marks every voxel of a volume."""

    name = "slow_marker"
    title = "Slow marker"
    stage = _Marker


class _Viewer(_Stage):
    step = "viewing"

    def finish(self, _output: Any, image: Any) -> tuple[Finding, ...]:
        return (Classification("pixels", _QUESTION, str(image.stored.size), _ANSWER, 0.9),)


class Viewer(SlowGate):
    """Counts the pixels of a radiograph, once they are decoded."""

    name = "viewer"
    title = "Viewer"
    takes: ClassVar[Takes] = Radiograph
    stage = _Viewer

    def refuse(self, stack: Stack) -> str | None:
        """Take radiographs only."""
        return None if stack.text("kind") == "radiograph" else "not a radiograph"
