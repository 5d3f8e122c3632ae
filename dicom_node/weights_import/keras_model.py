"""Keras 3's `.keras` files, looked through before Keras sees them.

Keras rebuilds a model from a configuration that names classes and functions, and a class may carry code. `safe_mode`
refuses the best known of them; here nothing passes but Keras' own layers and ours, in files that hold all they need.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import h5py

from dicom_node.errors import WeightsError
from dicom_node.weights_import.archive import refuse_inflated

_MEMBERS: Final = ("metadata.json", "config.json", "model.weights.h5")
_MODULES: Final = frozenset(
    {
        *("keras", "keras.layers", "keras.models", "keras.initializers", "keras.regularizers", "keras.constraints"),
        *("keras.dtype_policies", "keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.math"),
        "pipelines.published.keras.layers",
    }
)  # what a model's configuration may take classes from
_MODELS: Final = frozenset({"Functional", "Sequential", "Model"})  # in a module that changes with Keras' version
_CODE: Final = frozenset(
    {
        *("Lambda", "function", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
        *("StringLookup", "IntegerLookup", "TextVectorization"),  # read files that their configuration names
    }
)
_VALUES: Final = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__slice__", "__ellipsis__"})
_DAMAGE: Final = (OSError, RuntimeError, KeyError, ValueError, TypeError, zipfile.BadZipFile, zlib.error)
_MOST_OBJECTS: Final = 100_000  # in the HDF5 part; a large network has some thousands


def check_keras_model(path: Path) -> None:
    """Raise WeightsError where a `.keras` file is damaged, holds or names code, or leads elsewhere; nothing is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sorted(archive.namelist()) != sorted(_MEMBERS):
                raise WeightsError(f"is no .keras model: it holds {archive.namelist()[:5]}, not {list(_MEMBERS)}")
            refuse_inflated(archive, path.stat().st_size)
            refuse_code(json.loads(archive.read("config.json")))
            with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
                _refuse_elsewhere(file, path.stat().st_size)
    except _DAMAGE as error:
        raise WeightsError(f"cannot be read as a .keras model, it is damaged or incomplete ({error})") from error


def refuse_code(config: Any) -> None:
    """Walk a model's configuration, of Keras 2 or 3, and refuse what carries code or is not Keras' own or ours."""
    if isinstance(config, dict):
        if "class_name" in config:
            _refuse_object(config["class_name"], config.get("module"))
        config = list(config.values())
    if isinstance(config, list):
        for one in config:
            refuse_code(one)


def _refuse_object(name: Any, module: Any) -> None:
    if name in _CODE or (str(name).startswith("__") and name not in _VALUES):
        raise WeightsError(f"is refused: it holds {name!r}, which carries or fetches code, and none of it was run")
    if module is None or module in _MODULES or (name in _MODELS and str(module).startswith("keras.")):
        return
    raise WeightsError(f"is refused: it names {module}.{name}, which is no part of Keras, and nothing of it was run")


def _refuse_elsewhere(file: h5py.File, size: int) -> None:
    """Refuse links, tensors kept in other files, and more tensors than the file has room for."""
    waiting: list[h5py.Group] = [file]
    seen = held = 0
    while waiting:
        group = waiting.pop()
        for name in group:
            seen += 1
            if seen > _MOST_OBJECTS or not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise WeightsError(f"is refused: {group.name}/{name} is a link to elsewhere, or one object too many")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
                raise WeightsError(f"is refused: {item.name} is no array, or lies in another file")
            else:
                held += item.nbytes
    if held > size:
        raise WeightsError(f"is refused: its tensors would take {held} bytes, more than the file has")
