"""How a published MI2RLNet recipe joins a pipeline's RECIPES."""

from __future__ import annotations

from collections.abc import Callable

from dicom_node.pipeline import BareNetwork, Stage, Weights
from pipelines.published.runner import network_of
from pipelines.recipes import Builder, S


def published(stage: Callable[[BareNetwork, S], Stage]) -> Builder[S]:
    """Return the builder that loads the entry's network and gives it, with the settings, to `stage`."""

    def built(weights: Weights, settings: S, device: str) -> Stage:
        return stage(network_of(weights, device), settings)

    return built
