"""Running a recipe's bare network on arrays in the published layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dicom_node.pipeline import Weights, WeightsError
from pipelines.published.recipes import NETWORKS, TORCH, skeleton
from pipelines.recipes import fill

Floats: TypeAlias = NDArray[np.float32]
Network: TypeAlias = Callable[[Floats], Floats]
"""A network as a stage sees it: batch first; channels last where the recipe was published for Keras."""


class Runner:
    """A loaded network, fed and read in the layout of its publication."""

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        """Load an entry; WeightsError when its recipe is none of these or its tensors do not fit."""
        if weights.recipe not in NETWORKS:
            raise WeightsError(f"weights {weights.name!r}: recipe {weights.recipe!r} is none of {sorted(NETWORKS)}")
        self.device = device
        self.channels_last = weights.recipe not in TORCH
        self.channels = next(skeleton(weights.recipe).parameters()).shape[1]
        self.network = fill(skeleton(weights.recipe).to_empty(device="cpu"), weights, device)

    def __call__(self, batch: Floats) -> Floats:
        """Return the network's last output alone."""
        return list(self._run(batch, all_of_them=False).values())[-1]

    def outputs(self, batch: NDArray[Any]) -> dict[str, Floats]:
        """Return every output by its name: float32, full size."""
        return self._run(batch, all_of_them=True)

    def _run(self, batch: NDArray[Any], *, all_of_them: bool) -> dict[str, Floats]:
        x = torch.from_numpy(np.ascontiguousarray(batch, np.float32))
        if self.channels_last:
            x = x.movedim(-1, 1).contiguous()
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            found: dict[str, Tensor] = self.network.outputs(x.to(self.device))  # type: ignore[operator]
            wanted = found if all_of_them else dict(list(found.items())[-1:])
            return {name: self._published(tensor) for name, tensor in wanted.items()}

    def _published(self, tensor: Tensor) -> Floats:
        if self.channels_last and tensor.ndim > 3:
            tensor = tensor.movedim(1, -1)
        return np.ascontiguousarray(tensor.float().cpu().numpy())


def probe(weights: Weights, array: NDArray[Any], device: str = "cpu") -> dict[str, Floats]:
    """Run an installed entry's bare network on an array, as `dicom-node weights probe` does.

    Args:
        weights: an entry of a published recipe.
        array: a whole batch in the published layout: (n, ..., channels) for Keras, (n, channels, ...) for PyTorch.
        device: torch's name of the device.

    Returns:
        Every output, float32 and full size, by its name in the published graph (`out`, `features`, `avg_pool`,
        `regression`, `det_boxes` ...; `eval` for PyTorch's).

    Raises:
        WeightsError: the array has not the network's number of axes or channels, or the entry cannot be loaded.
    """
    runner = Runner(weights, device)
    axes = 5 if "3d" in type(runner.network).__name__ else 4
    channel = array.shape[-1 if runner.channels_last else 1] if array.ndim == axes else None
    if channel != runner.channels:
        where = "last" if runner.channels_last else "second"
        raise WeightsError(
            f"recipe {weights.recipe} takes {axes} axes with {runner.channels} channels {where}, not {array.shape}"
        )
    return runner.outputs(array)
