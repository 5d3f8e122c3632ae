"""From a weights entry to a loaded network.

A recipe is one network with its own preparation and finish. A pipeline keeps a mapping from recipe name to the function
that builds its stage; another network joins by another line there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dicom_node.pipeline import Model, Settings, Stage, Weights, WeightsError

S = TypeVar("S", bound=Settings)
Network = TypeVar("Network", bound=nn.Module)
Builder: TypeAlias = Callable[[Weights, S, str], Stage]
"""Weights entry, settings and torch device -> the recipe's stage."""


def build(
    pipeline: str, recipes: Mapping[str, Builder[S]], weights: Mapping[str, Weights], settings: S, device: str
) -> Model:
    """Return the one-stage model that the entry of role "" asks for; WeightsError where no recipe of ours reads it."""
    if set(weights) != {""}:
        raise WeightsError(f"{pipeline} takes one weights entry, not the roles {sorted(weights)}")
    entry = weights[""]
    if entry.recipe not in recipes:
        offered = ", ".join(sorted(recipes))
        raise WeightsError(f"weights {entry.name!r}: recipe {entry.recipe!r} is none of {pipeline}'s ({offered})")
    return Model([recipes[entry.recipe](entry, settings, device)])


def fill(network: Network, weights: Weights, device: str) -> Network:
    """Put the entry's tensors into the network, on the device and ready to infer.

    Raises WeightsError when the file is not the catalogue's, is no safetensors file, or does not fit the network.
    """
    weights.verify()
    try:
        tensors = load_file(weights.path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"weights {weights.name!r}: {weights.path} cannot be read: {error}") from error
    expected = {name: one for name, one in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    for name in sorted(expected.keys() | tensors.keys()):
        wanted = tuple(expected[name].shape) if name in expected else None
        found = tuple(tensors[name].shape) if name in tensors else None
        if wanted != found:
            raise WeightsError(
                f"weights {weights.name!r}, recipe {weights.recipe!r}: tensor {name} expected {wanted}, found {found}"
            )
    network.load_state_dict(tensors, strict=False)  # lacks only the step counters that inference does not read
    network.float().eval().to(device)
    return network
