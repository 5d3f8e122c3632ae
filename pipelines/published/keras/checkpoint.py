"""Published legacy `.h5` weights into a Keras model: tensors only, whatever else the file holds is never looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from dicom_node.weights_import import TableTensor, TensorTable, match
from dicom_node.weights_import.keras_file import open_keras
from pipelines.published.keras.recipes import NAMED


def fill(model: Any, path: Path, recipe: str) -> None:
    """Put a checkpoint's tensors into its recipe's model.

    Raises:
        WeightsError: the file is damaged, or what is missing, left over or of another shape, by name.
    """
    variables = dict(_variables(model))
    tensors = tuple(TableTensor(layer, name, tuple(one.shape), "", ()) for (layer, name), one in variables.items())
    table = TensorTable("keras", "layer" if recipe in NAMED else "position", tensors)
    with open_keras(path) as found:
        for wanted, got in match(table, found):
            variables[wanted.layer, wanted.name].assign(got.read())


def _variables(model: Any) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield (layer, name in its group) and variable, in the order of the published files: Keras' order of layers."""
    for layer in model.layers:
        for variable in layer.weights:
            owner = variable.path.split("/")[-2]
            yield (layer.name, f"{owner}/{_kind(layer, variable)}:0"), variable


def _kind(layer: Any, variable: Any) -> str:
    """Keras 3 calls a depthwise kernel a kernel."""
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) and variable.name == "kernel"
    return "depthwise_kernel" if depthwise else str(variable.name)
