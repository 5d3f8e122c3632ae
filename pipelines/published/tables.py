"""What each published checkpoint holds, derived from the network that reads it.

The networks state their layers in the order of the published files, so a walk over a network gives its table. Layout
conversion is a permutation of axes: Keras keeps (space.., in, out) for convolutions, (space.., out, in) for transposed
ones, (space.., channels, 1) for depthwise ones and (in, out) for dense layers; PyTorch puts space last.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from torch import nn

from dicom_node.weights_import import TableTensor, TensorTable
from pipelines.networks.keras_layers import InstanceNorm
from pipelines.published.recipes import NETWORKS, RESNETS, TORCH, skeleton

Namer: TypeAlias = Callable[[str, nn.Module], tuple[str, str]]
"""Module path, module -> its layer in the file, and the name inside that layer's group."""

_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_NESTED = ("box_head", "class_head")  # models inside the detector, each one group of the file
_LAST_NAMED = "class_head.3"  # the only layer of a nested model whose name is not automatic


@functools.cache
def tables() -> Mapping[str, TensorTable]:
    """Return every recipe's table."""
    return MappingProxyType({recipe: _table(recipe) for recipe in NETWORKS})


def _table(recipe: str) -> TensorTable:
    network = skeleton(recipe)
    if recipe in TORCH:
        return TensorTable("torch", "name", tuple(_as_is(network)))
    if recipe == "LRDet":
        return TensorTable("keras", "layer", tuple(_keras(network, _nested(Counter()))))
    if recipe in RESNETS:
        return TensorTable("keras", "position", tuple(_keras(network, _fixed)))
    return TensorTable("keras", "position", tuple(_keras(network, _numbered(Counter()))))


def _as_is(network: nn.Module) -> Iterator[TableTensor]:
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            yield TableTensor("", name, tuple(tensor.shape), name, tuple(range(tensor.ndim)))


def _keras(network: nn.Module, named: Namer) -> Iterator[TableTensor]:
    for path, module in network.named_modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        tensors = {name: tensor for name, tensor in own if name != "num_batches_tracked"}
        if not tensors:
            continue
        layer, inner = named(path, module)
        for name, tensor in tensors.items():
            axes = _axes(module, tensor.ndim)
            shape = [0] * tensor.ndim
            for ours, theirs in enumerate(axes):
                shape[theirs] = tensor.shape[ours]
            yield TableTensor(layer, f"{inner}/{_kind(module, name)}:0", tuple(shape), f"{path}.{name}", axes)


def _axes(module: nn.Module, dimensions: int) -> tuple[int, ...]:
    """Return the published axes in the network's order."""
    if dimensions < 3:
        return tuple(reversed(range(dimensions)))
    space = tuple(range(dimensions - 2))
    last = (dimensions - 1, dimensions - 2)
    return (*(last[::-1] if _is_depthwise(module) else last), *space)


def _kind(module: nn.Module, name: str) -> str:
    if isinstance(module, InstanceNorm | nn.BatchNorm2d):
        return _NORM[name]
    if name == "weight":
        return "depthwise_kernel" if _is_depthwise(module) else "kernel"
    return name


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups > 1


def _fixed(path: str, _module: nn.Module) -> tuple[str, str]:
    """Name a layer that the authors' program names."""
    layer = path.replace(".", "_")
    return layer, layer


def _numbered(counts: Counter[str]) -> Namer:
    """Name layers as Keras does by itself in a fresh session: conv3d, conv3d_1 ..."""
    classes: dict[type[nn.Module], str] = {
        nn.Conv2d: "conv2d",
        nn.Conv3d: "conv3d",
        nn.ConvTranspose3d: "conv3d_transpose",
        nn.Linear: "dense",
        InstanceNorm: "instance_normalization",
    }

    def name(_path: str, module: nn.Module) -> tuple[str, str]:
        kind = next(word for one, word in classes.items() if isinstance(module, one))
        layer = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
        return layer, layer

    return name


def _nested(counts: Counter[str]) -> Namer:
    numbered = _numbered(counts)

    def name(path: str, module: nn.Module) -> tuple[str, str]:
        outer = path.partition(".")[0]
        if outer not in _NESTED:
            return _fixed(path, module)
        return outer, "pyramid_classification" if path == _LAST_NAMED else numbered(path, module)[1]

    return name
