"""The TensorFlow process's own end of the pipe: it opens entries of the catalogue and runs them on arrays."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dicom_node.errors import DicomNodeError, ModelError, WeightsError
from dicom_node.infer.attached import answer_all, threads
from dicom_node.infer.messages import NO_ARRAYS, Arrays
from dicom_node.infer.tensorflow_models import Opened, open_entry
from dicom_node.processes import attached
from dicom_node.weights_store import Weights

_log = logging.getLogger(__name__)


def main() -> None:
    """Answer requests until the other end closes the pipe."""
    connection, config = attached()
    tf.config.threading.set_intra_op_parallelism_threads(threads(config))
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)  # the PyTorch models want their share
    answer_all(connection, Networks().answer)


class Networks:
    """The entries that were asked for, opened once for each device and kept warm."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str, str], Opened] = {}

    def answer(self, request: Mapping[str, Any], arrays: Arrays) -> tuple[Any, Arrays]:
        """Answer one request; an error is an answer too."""
        try:
            return self._answer(request, arrays)
        except WeightsError as error:
            return {"weights": str(error)}, NO_ARRAYS
        except DicomNodeError as error:
            return {"failed": str(error)}, NO_ARRAYS
        except Exception as error:  # noqa: BLE001  # the process boundary: the run fails with this reason
            _log.warning("%s failed: %s", request["name"], type(error).__name__)
            return {"failed": f"{type(error).__name__}: {str(error)[:500]}"}, NO_ARRAYS

    def _answer(self, request: Mapping[str, Any], arrays: Arrays) -> tuple[Any, Arrays]:
        entry = Weights(request["name"], Path(request["path"]), request["sha256"], request["recipe"], {})
        with _placed(request["device"]):
            if request["do"] == "open":
                entry.verify()  # also where an earlier state of it is warm
                network = self._network(entry, request["device"])
                return {"takes": network.takes, "gives": network.gives}, NO_ARRAYS
            return {}, _run(self._network(entry, request["device"]), arrays["batch"], request["wanted"])

    def _network(self, entry: Weights, device: str) -> Opened:
        key = (entry.sha256, entry.recipe, device)
        if key not in self._opened:
            self._opened[key] = open_entry(entry)
        return self._opened[key]


def _run(network: Opened, batch: Any, wanted: str) -> Arrays:
    fits = len(batch.shape) == len(network.takes) or not network.takes
    if not fits or any(n not in (None, m) for n, m in zip(network.takes, batch.shape, strict=False)):
        raise ModelError(f"the network takes {network.takes}, not {batch.shape}")
    found = network.call(tf.constant(batch, network.dtype))
    return {name: np.asarray(one, np.float32) for name, one in found.items() if wanted in ("", name)}


def _placed(device: str) -> AbstractContextManager[Any]:
    """Return the context of a device by PyTorch's name for it."""
    kind, _, number = device.partition(":")
    index = int(number or 0)
    if kind == "cuda" and index < len(tf.config.list_logical_devices("GPU")):
        return tf.device(f"/GPU:{index}")  # type: ignore[no-any-return]
    if kind == "cpu":
        return tf.device("/CPU:0")  # type: ignore[no-any-return]
    raise ModelError(f"TensorFlow finds no device {device!r} here")


if __name__ == "__main__":
    main()
