"""What a checkpoint holds, seen before any of its numbers is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from dicom_node.weights_import.tables import kind_of


@dataclasses.dataclass(frozen=True, slots=True)
class FoundTensor:
    """One tensor in a file; `read` is called only once its shape is known to be the expected one."""

    layer: str  # "" in a PyTorch checkpoint
    name: str
    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]

    @property
    def label(self) -> str:
        """How messages name it: the path in the file."""
        return f"{self.layer}/{self.name}" if self.layer else self.name

    @property
    def kind(self) -> str:
        """What the tensor is to its layer: kernel, bias, gamma, moving_mean ..."""
        return kind_of(self.name)


Reader: TypeAlias = Callable[[Path], AbstractContextManager[Sequence[FoundTensor]]]
"""Opens a checkpoint for as long as its tensors are read; raises WeightsError for a file that it will not read."""
