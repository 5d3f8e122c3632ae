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


Raw: TypeAlias = dict[str, NDArray[Any]]
"""What a stage shows of itself: `pre` that went into the network, `out` that came out, `mask` where there is one."""


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

    def raw(self, batch: Batch, output: Output, image: Any) -> Raw:  # noqa: ARG002  # subclasses read it
        """Return `pre` and `out` in the layout of the publication, for a comparison with the published program."""
        return {"pre": np.concatenate(batch.inputs), "out": np.concatenate(output.outputs)}


def as_trained(image: Volume) -> Oriented:
    """Return the grid of MR models: a file without a DICOM header in its stored axes, DICOM brought to axial LPS."""
    return image.oriented("SPL") if image.stack.frames else image.as_stored()


def turned(oriented: Oriented, labels: NDArray[Any]) -> NDArray[Any]:
    """Bring an array on the source grid to the oriented grid: the way back of `Oriented.restore`."""
    flips = tuple(slice(None, None, -1 if flip else 1) for flip in oriented.flips)
    return labels.transpose(oriented.permutation)[flips]
