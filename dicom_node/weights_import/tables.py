"""What a recipe expects in a published checkpoint, as data."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True, slots=True)
class TableTensor:
    """One tensor as published, and where it goes."""

    layer: str  # Keras layer (the outer one of a nested model); "" in a PyTorch checkpoint
    name: str  # as the file has it: "conv3d/kernel:0" in its layer's group, or the key of the state dict
    shape: tuple[int, ...]  # as published
    target: str  # its name in the network's state dict
    axes: tuple[int, ...]  # the published axes in the network's order

    @property
    def label(self) -> str:
        """How messages name it: the path in the file."""
        return f"{self.layer}/{self.name}" if self.layer else self.name

    @property
    def kind(self) -> str:
        """What the tensor is to its layer: kernel, bias, gamma, moving_mean ..."""
        return kind_of(self.name)


@dataclasses.dataclass(frozen=True, slots=True)
class TensorTable:
    """Every tensor of one recipe's published checkpoint, in the order of the file."""

    framework: Literal["keras", "torch"]
    by: Literal["position", "layer", "name"]  # how the file's tensors are told apart
    tensors: tuple[TableTensor, ...]


def kind_of(name: str) -> str:
    """`conv3d_57/kernel:0` is a kernel: automatic numbers of layers carry no meaning, a tensor's last word does."""
    return name.rsplit("/", 1)[-1].partition(":")[0]
