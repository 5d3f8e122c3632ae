"""A compact network as a stage sees it: arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dicom_node.pipeline import Weights
from pipelines.recipes import fill

_AT_ONCE = 8  # pictures; more take memory and no less time on a CPU


class Compact:
    """A loaded network, fed a few pictures at a time."""

    def __init__(self, network: nn.Module, weights: Weights, device: str, *, mirrored: bool = False) -> None:
        """Load an entry; WeightsError where it does not fit.

        Args:
            network: of the entry's recipe, its tensors not yet set.
            weights: the entry.
            device: torch's name of the device.
            mirrored: whether the logits are averaged over each picture and its mirror image; right where the network's
                answers know no left or right.
        """
        self.network = fill(network, weights, device)
        self.device = device
        self.mirrored = mirrored

    def __call__(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, channels, h, w) -> logits (n, outputs[, h, w])."""
        parts = [self._run(torch.from_numpy(part).to(self.device)) for part in _parts(pictures)]
        return np.concatenate([part.float().cpu().numpy() for part in parts])

    def _run(self, pictures: Tensor) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = self.network(pictures)
            if not self.mirrored:
                return logits
            other: Tensor = self.network(pictures.flip(-1))
            return (logits + (other.flip(-1) if other.ndim == 4 else other)) / 2


def _parts(pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [np.ascontiguousarray(pictures[k : k + _AT_ONCE]) for k in range(0, len(pictures), _AT_ONCE)]


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logistic function, safe at both ends."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)
