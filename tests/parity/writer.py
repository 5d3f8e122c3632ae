"""Checkpoints in the published layout, filled from a seed: what a site downloads, without downloading it."""

from __future__ import annotations

import zlib
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from dicom_node.weights_import import TableTensor, TensorTable

FIRST_KERAS = "2.4.0"  # as TensorFlow 2.3 wrote, with attributes of fixed-length bytes


def values(one: TableTensor, seed: str) -> NDArray[np.float32]:
    """Numbers from a seed and the tensor's name that carry a signal through the network; variances are positive."""
    random = np.random.default_rng(zlib.crc32(f"{seed}/{one.label}".encode()))
    numbers = random.standard_normal(one.shape, np.float32)
    if len(one.shape) > 1:
        inputs = one.shape[:-1] if one.layer else one.shape[1:]  # those of a kernel's output
        return np.asarray(numbers * np.sqrt(2 / np.prod(inputs)), np.float32)
    positive = one.kind in ("moving_variance", "gamma") or one.name.endswith("running_var")
    return np.asarray(1 + np.abs(numbers) / 50 if positive else numbers / 50, np.float32)


def write(table: TensorTable, path: Path, seed: str = "a", **style: Any) -> Path:
    """Write a table's checkpoint; `style` is `write_keras`'s."""
    if table.framework == "torch":
        torch.save({"net": {one.name: torch.from_numpy(values(one, seed)) for one in table.tensors}}, path)
    else:
        write_keras(table, path, seed, **style)
    return path


def write_keras(
    table: TensorTable, path: Path, seed: str = "a", *, old: bool = False, shift: int = 0, whole_model: bool = False
) -> None:
    """Write legacy HDF5: `old` text attributes, automatic layer numbers shifted, weights below /model_weights."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        groups = [(layer, list(tensors)) for layer, tensors in groupby(table.tensors, key=attrgetter("layer"))]
        names = ["input_1", *(shifted(layer, shift) for layer, _ in groups)]
        root.create_group("input_1").attrs["weight_names"] = _texts([], old=old)
        root.attrs["layer_names"] = _texts(names, old=old)
        root.attrs["keras_version"] = np.bytes_(FIRST_KERAS) if old else "2.10.0"
        for (_, tensors), layer in zip(groups, names[1:], strict=True):
            inner = [shifted(one.name, shift) for one in tensors]
            group = root.create_group(layer)
            group.attrs["weight_names"] = _texts(inner, old=old)
            for one, name in zip(tensors, inner, strict=True):
                group.create_dataset(name, data=values(one, seed))


def shifted(name: str, by: int) -> str:
    """`conv3d_3/kernel:0` shifted by 5 is `conv3d_8/kernel:0`: another session had built other layers before."""
    layer, slash, rest = name.partition("/")
    word, _, number = layer.rpartition("_")
    kind = word if number.isdigit() else layer
    if not by or kind not in ("conv2d", "conv3d", "conv3d_transpose", "dense", "instance_normalization"):
        return name
    return f"{kind}_{(int(number) if number.isdigit() else 0) + by}{slash}{rest}"


def _texts(names: list[str], *, old: bool) -> NDArray[Any]:
    if old:
        return np.array([name.encode() for name in names]) if names else np.array([], "S1")
    return np.array(names, h5py.string_dtype()) if names else np.array([], "f8")
