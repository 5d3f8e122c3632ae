"""What the published recipes' stages share: batches, outputs, and images that are plain arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicom_node.images import Oriented, Volume
from dicom_node.pipeline import Found
from pipelines.published.runner import Floats, Network

Tell: TypeAlias = Callable[[Any, Any], Found]
"""A recipe's plain result and the image -> the pipeline's coded findings."""


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """What goes into the network, one array per call, and what `finish` must know beside it."""

    inputs: tuple[Floats, ...]  # each in the published layout
    beside: Any = None


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """What came out of the network, one array per input."""

    outputs: tuple[Floats, ...]
    beside: Any = None


class ArrayStage:
    """A stage's middle step: the network on each input."""

    def __init__(self, network: Network, tell: Tell) -> None:
        """Take a `Runner`, or any function of arrays, and what puts the plain result into findings."""
        self.network = network
        self.tell = tell

    def infer(self, batch: Batch) -> Output:
        """Run the network on each input by itself."""
        return Output(tuple(self.network(one) for one in batch.inputs), batch.beside)


@dataclasses.dataclass(frozen=True, slots=True)
class StoredVolume:
    """A volume used in the axes in which it is stored, e.g. one read from NIfTI; stands in for `Volume`."""

    array: NDArray[np.float32]  # (z, y, x)
    spacing_mm: tuple[float, float, float]

    def oriented(self, axes: str = "SPL") -> Oriented:  # noqa: ARG002  # stored axes are the axes
        """Return the array as it is."""
        return Oriented(self.array, self.spacing_mm, (0, 1, 2), (False, False, False))


@dataclasses.dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture without a header, e.g. one read from PNG; stands in for `Radiograph`."""

    picture: NDArray[np.uint8]  # (rows, columns) grey, or (rows, columns, 3) blue, green, red


AnyVolume: TypeAlias = Volume | StoredVolume


def turned(oriented: Oriented, labels: NDArray[Any]) -> NDArray[Any]:
    """Bring an array on the source grid to the oriented grid: the way back of `Oriented.restore`."""
    flips = tuple(slice(None, None, -1 if flip else 1) for flip in oriented.flips)
    return labels.transpose(oriented.permutation)[flips]
