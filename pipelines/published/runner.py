"""Running a recipe's bare network on arrays in the published layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dicom_node.pipeline import BareNetwork, Shape, Weights, WeightsError
from pipelines.published.recipes import NETWORKS, RESNETS, TORCH, skeleton
from pipelines.recipes import fill

Floats: TypeAlias = NDArray[np.float32]
Network: TypeAlias = Callable[[Floats], Floats]
"""A network as a stage sees it: batch first; channels last where the recipe was published for Keras."""

_DETECTIONS: Final = ("det_boxes", "det_scores", "det_labels")


class Runner:
    """A loaded network, fed and read in the layout of its publication."""

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        """Load an entry; WeightsError when its recipe is none of these or its tensors do not fit."""
        _refuse_unknown(weights)
        self.device = device
        self.channels_last = weights.recipe not in TORCH
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


def network_of(weights: Weights, device: str = "cpu") -> BareNetwork:
    """Return an entry's network, run by PyTorch here or by TensorFlow in its own process.

    Raises WeightsError when the entry's recipe is none of these, or the tensors or the network do not fit it.
    """
    if weights.framework == "torch":
        return Runner(weights, device)
    _refuse_unknown(weights)
    _refuse_misfit(weights)
    return weights.network


def takes(recipe: str) -> Shape:
    """Return the shape that a recipe's network takes: None but for the channels."""
    network = skeleton(recipe)
    space = (None,) * (3 if "3d" in type(network).__name__ else 2)
    channels: int = next(network.parameters()).shape[1]
    return (None, channels, *space) if recipe in TORCH else (None, *space, channels)


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
    network = network_of(weights, device)
    if not _alike(takes(weights.recipe), array.shape):
        raise WeightsError(f"{_wanted(weights.recipe)}, not {array.shape}")
    return network.outputs(array)


def _refuse_unknown(weights: Weights) -> None:
    if weights.recipe not in NETWORKS:
        raise WeightsError(f"weights {weights.name!r}: recipe {weights.recipe!r} is none of {sorted(NETWORKS)}")


def _refuse_misfit(weights: Weights) -> None:
    """Refuse another recipe's network, by the shapes that it takes and gives."""
    found, recipe = weights.network, weights.recipe
    if found.takes and not _alike(takes(recipe), found.takes):
        raise WeightsError(f"weights {weights.name!r}: {_wanted(recipe)}, this network {found.takes}")
    missing = [name for name in _DETECTIONS if name not in found.gives] if recipe == "LRDet" else []
    if missing or (recipe != "LRDet" and not _gives(recipe, found.gives.get("out"))):
        gives = ", ".join(f"{name} {shape}" for name, shape in found.gives.items())
        raise WeightsError(f"weights {weights.name!r}: recipe {recipe} gives something else than this network: {gives}")


def _gives(recipe: str, shape: Shape | None) -> bool:
    *_, last = skeleton(recipe).parameters()
    axes = 2 if recipe in RESNETS else len(takes(recipe))
    channels = 1 if recipe in TORCH else -1
    return shape is not None and (not shape or (len(shape) == axes and shape[channels] in (None, last.shape[0])))


def _alike(wanted: Shape, found: Shape) -> bool:
    return len(wanted) == len(found) and all(a == b or None in (a, b) for a, b in zip(wanted, found, strict=True))


def _wanted(recipe: str) -> str:
    shape = takes(recipe)
    (channels,) = (one for one in shape if one is not None)
    return f"recipe {recipe} takes {len(shape)} axes with {channels} channels {'second' if recipe in TORCH else 'last'}"
