"""The asking end of the TensorFlow process; TensorFlow itself is not imported here."""

from __future__ import annotations

import dataclasses
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicom_node.config import Config
from dicom_node.errors import ModelError, WeightsError
from dicom_node.infer.child import Child
from dicom_node.infer.messages import NO_ARRAYS, Arrays
from dicom_node.weights_store import Shape, Weights

_SERVER = "dicom_node.infer.tensorflow_serving"
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}  # TensorFlow's own chatter; its errors still show
_ALONE = "out"
NOT_INSTALLED = "needs TensorFlow, which is not installed: pip install -c constraints.txt -e '.[tensorflow]'"


def is_installed() -> bool:
    """Say whether TensorFlow is installed, without importing it."""
    return find_spec("tensorflow") is not None


class TensorFlowProcess:
    """Opens networks in a process of its own, which is started when first asked, and again after it died."""

    def __init__(self, config: Config) -> None:
        self._child = Child("TensorFlow", _SERVER, config, _QUIET)

    def opened(self, entry: Weights, device: str) -> Weights:
        """Return the entry with its network in place; one that PyTorch runs comes back as it is.

        Raises:
            WeightsError: TensorFlow is not installed, or the entry is altered, damaged, hostile or of another recipe.
            ModelError: the process died, or has no such device.
        """
        if entry.framework != "tensorflow":
            return entry
        if not is_installed():
            raise WeightsError(f"weights {entry.name!r}: {entry.path.name} {NOT_INSTALLED}")
        return dataclasses.replace(entry, opened=RemoteNetwork(self._child, entry, device))

    def close(self) -> None:
        """End the process."""
        self._child.close()


class RemoteNetwork:
    """An `OpenedNetwork` whose arrays go over the pipe; where the process died in between, it is opened anew."""

    def __init__(self, child: Child, entry: Weights, device: str) -> None:
        self._child = child
        self._name = entry.name
        stated = {"name": entry.name, "path": str(entry.path), "sha256": entry.sha256, "recipe": entry.recipe}
        self._request = {**stated, "device": device}
        described, _ = self._ask({"do": "open"})
        self.takes: Shape = tuple(described["takes"])
        self.gives: dict[str, Shape] = {name: tuple(shape) for name, shape in described["gives"].items()}

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output `out` alone."""
        if _ALONE not in self.gives:
            raise ModelError(f"weights {self._name!r}: none of its outputs is named out: {', '.join(self.gives)}")
        return self._run(batch, _ALONE)[_ALONE]

    def outputs(self, batch: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """Return every output by its name."""
        return self._run(batch, "")

    def _run(self, batch: NDArray[Any], wanted: str) -> dict[str, NDArray[np.float32]]:
        return dict(self._ask({"do": "run", "wanted": wanted}, {"batch": batch})[1])

    def _ask(self, request: dict[str, str], arrays: Arrays = NO_ARRAYS) -> tuple[Any, Arrays]:
        answer, found = self._child.ask(f"weights {self._name!r}", {**self._request, **request}, arrays)
        if "weights" in answer:
            raise WeightsError(answer["weights"])
        if "failed" in answer:
            raise ModelError(f"weights {self._name!r}: {answer['failed']}")
        return answer, found
