"""Keras' legacy HDF5 weights: one group per layer, listed in order by attributes.

Only the HDF5 library reads the file: a Lambda layer's code or a model's configuration is never looked at. A file may
come from strangers, so links to other places, storage outside the file and names without end are refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from dicom_node.errors import WeightsError
from dicom_node.weights_import.found import FoundTensor

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_MOST_NAMES: Final = 20_000  # of layers, or of one layer's tensors; the largest published file has 345 layers


@contextmanager
def open_keras(path: Path) -> Iterator[Sequence[FoundTensor]]:
    """Open weights saved by Keras 2 (`save_weights`, or `save` with the weights below /model_weights)."""
    try:
        with h5py.File(path, "r") as file:
            yield _tensors(file)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path.name}: cannot be read as HDF5, it is damaged or incomplete ({error})") from error


def _tensors(file: h5py.File) -> list[FoundTensor]:
    root = _member(file, "model_weights") if "model_weights" in file else file
    if not isinstance(root, h5py.Group) or not _has_names(root, "layer_names"):
        raise WeightsError(
            "this HDF5 file holds no Keras weights in the legacy layout: it lacks the attribute layer_names"
            f"{' (it looks like Keras 3: save it as legacy .h5)' if 'layers' in file else ''}"
        )
    return [found for layer in _names(root, "layer_names") for found in _of_layer(root, layer)]


def _of_layer(root: h5py.Group, layer: str) -> Iterator[FoundTensor]:
    group = _member(root, layer)
    if not isinstance(group, h5py.Group):
        raise WeightsError(f"layer {layer}: is no HDF5 group")
    for name in _names(group, "weight_names") if _has_names(group, "weight_names") else ():
        dataset = _member(group, name)
        label = f"{layer}/{name}"
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            raise WeightsError(f"tensor {label}: is no array")
        if dataset.external or dataset.is_virtual:
            raise WeightsError(f"tensor {label}: its values lie in another file")
        if dataset.dtype.kind != "f":
            raise WeightsError(f"tensor {label}: holds {dataset.dtype}, not floating-point numbers")
        yield FoundTensor(layer, name, tuple(dataset.shape), partial(_read, dataset))


def _member(group: h5py.Group, path: str) -> Any:
    """Walk down a path, along hard links only."""
    for part in path.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise WeightsError(f"{path}: is listed but not in the file")
        if not isinstance(link, h5py.HardLink):
            raise WeightsError(f"{path}: is a link to elsewhere, which published weights never hold")
        group = group[part]
    return group


def _has_names(group: h5py.Group, attribute: str) -> bool:
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """Read a list of names; Keras splits one that is too long for an attribute over `name0`, `name1` ..."""
    if attribute in group.attrs:
        return _texts(group, attribute)
    parts = itertools.takewhile(group.attrs.__contains__, (f"{attribute}{part}" for part in itertools.count()))
    return [name for part in parts for name in _texts(group, part)]


def _texts(group: h5py.Group, attribute: str) -> list[str]:
    """Read text written as fixed-length bytes (h5py 2) or of variable length (h5py 3)."""
    shape = group.attrs.get_id(attribute).shape
    if len(shape) != 1 or shape[0] > _MOST_NAMES:
        raise WeightsError(f"{group.name}: its attribute {attribute} is no plausible list of names: shape {shape}")
    values = np.asarray(group.attrs[attribute]).ravel()
    return [one.decode("utf-8") if isinstance(one, bytes) else str(one) for one in values.tolist()]


def _read(dataset: h5py.Dataset) -> NDArray[Any]:
    return np.asarray(dataset[()])
