"""Weights entries that TensorFlow runs: read with suspicion, opened, and run on arrays.

Whatever a file holds is looked through before TensorFlow or Keras sees it, and a SHA-256 that is not the catalogue's
ends the matter. A SavedModel is a program: there the catalogue's SHA-256 is what a site vouches for.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import keras
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from dicom_node.errors import WeightsError
from dicom_node.weights_import import check_model, refuse_code
from dicom_node.weights_store import KERAS_MODEL, KERAS_WEIGHTS, SAVED_MODEL, Shape, Weights

_PUBLISHED: Final = "pipelines.published.keras"  # by name, as every pipeline is
_PYTHON_OPERATIONS: Final = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
_SIGNATURE: Final = "serving_default"


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """A model that is ready: one array in, arrays by name out."""

    call: Callable[[Any], Mapping[str, Any]]
    takes: Shape
    dtype: Any
    gives: Mapping[str, Shape]
    kept: Any  # a SavedModel's variables live as long as this


def open_entry(entry: Weights) -> Opened:
    """Open an entry's file or folder.

    Raises:
        WeightsError: it is not what the catalogue states, damaged, not of its recipe, or holds code; names the entry.
    """
    entry.verify()
    reader = {KERAS_WEIGHTS: _legacy, KERAS_MODEL: _keras}.get(entry.path.suffix, _saved_model)
    try:
        return reader(entry)
    except WeightsError as error:
        raise WeightsError(f"weights {entry.name!r}: {entry.path.name}: {error}") from error


def _legacy(entry: Weights) -> Opened:
    """Fill the recipe's network from Keras 2's weights; a model's configuration beside them is only looked through."""
    published: Any = importlib.import_module(_PUBLISHED)
    if entry.recipe not in published.NETWORKS:
        known = ", ".join(sorted(published.NETWORKS))
        raise WeightsError(f"recipe {entry.recipe!r} has no Keras network to read legacy weights with; {known} have")
    _refuse_code_beside(entry.path)
    keras.utils.clear_session()  # numbers layers from the start again, as an error names them
    model = published.NETWORKS[entry.recipe]()
    published.fill(model, entry.path, entry.recipe)
    return _opened(model)


def _refuse_code_beside(path: Path) -> None:
    try:
        with h5py.File(path, "r") as file:
            refuse_code(json.loads(file.attrs.get("model_config", "{}")))
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise WeightsError(f"cannot be read as HDF5, it is damaged or incomplete ({error})") from error


def _keras(entry: Weights) -> Opened:
    check_model(entry.path)
    importlib.import_module(_PUBLISHED)  # our own layers have their names there
    try:
        model = keras.saving.load_model(entry.path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds for a file that does not fit together
        raise WeightsError(f"Keras cannot load it: {type(error).__name__}: {str(error)[:300]}") from error
    return _opened(model)


def _opened(model: Any) -> Opened:
    inputs: Any = getattr(model, "inputs", None) or ()  # an unbuilt model has none
    if len(inputs) != 1:
        raise WeightsError(f"takes {len(inputs)} inputs; a network of one is run here")
    taken = inputs[0]
    gives = {name: tuple(one.shape) for name, one in _by_name(model, model.output).items()}
    spec = tf.TensorSpec(taken.shape, taken.dtype)  # one graph for every size; a graph frees maps that are done with
    call = tf.function(lambda x: _by_name(model, model(x, training=False)), input_signature=[spec])
    return Opened(call.get_concrete_function(), tuple(taken.shape), taken.dtype, gives, model)


def _by_name(model: Any, found: Any) -> dict[str, Any]:
    named = found if isinstance(found, dict) else dict(zip(model.output_names, tf.nest.flatten(found), strict=True))
    return named if len(named) > 1 else {"out": next(iter(named.values()))}


def _saved_model(entry: Weights) -> Opened:
    _refuse_python(entry.path)
    try:
        loaded = tf.saved_model.load(str(entry.path))
    except Exception as error:  # TensorFlow raises many kinds for a folder that does not fit together
        raise WeightsError(f"TensorFlow cannot load it: {type(error).__name__}: {str(error)[:300]}") from error
    signature = loaded.signatures.get(_SIGNATURE)
    if signature is None:
        raise WeightsError(f"has no signature {_SIGNATURE!r}, only {sorted(loaded.signatures)}")
    wanted, given = signature.structured_input_signature[1], signature.structured_outputs
    if len(wanted) != 1:
        raise WeightsError(f"its {_SIGNATURE} takes {len(wanted)} inputs; a network of one is run here")
    ((name, spec),) = wanted.items()
    renamed = {old: old if len(given) > 1 else "out" for old in given}

    def call(x: Any) -> dict[str, Any]:
        return {renamed[old]: value for old, value in signature(**{name: x}).items()}

    shapes = {renamed[old]: _shape(one.shape) for old, one in given.items()}
    return Opened(call, _shape(spec.shape), spec.dtype.name, shapes, loaded)


def _shape(shape: Any) -> Shape:
    return tuple(shape.as_list()) if shape.rank is not None else ()


def _refuse_python(folder: Path) -> None:
    """Refuse operations that call back into Python, and Lambda layers kept for Keras beside the graph."""
    check_model(folder)
    parsed = SavedModel()
    try:
        parsed.ParseFromString((folder / SAVED_MODEL).read_bytes())
    except DecodeError as error:
        raise WeightsError(f"{SAVED_MODEL} is damaged ({error})") from error
    for meta in parsed.meta_graphs:
        inner = (node for function in meta.graph_def.library.function for node in function.node_def)
        if found := _PYTHON_OPERATIONS & {node.op for node in (*meta.graph_def.node, *inner)}:
            raise WeightsError(f"is refused: it calls Python code ({sorted(found)[0]}), and nothing of it was run")
    if any(b'"class_name": "Lambda"' in one.read_bytes() for one in folder.glob("*.pb")):
        raise WeightsError("is refused: it holds a Lambda layer, which carries code, and none of it was run")
