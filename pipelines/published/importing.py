"""Behind `dicom-node weights import`: the MI2RLNet checkpoints into the weights catalogue.

Where things live: the matching, the conversion and the catalogue are `dicom_node.weights_import`, which knows neither
networks nor torch; the tables follow from the networks and the reader of PyTorch files needs torch, so both are here,
and this door joins them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dicom_node.pipeline import Weights
from dicom_node.weights_import import Card, Importer
from pipelines.published.checkpoint import open_torch
from pipelines.published.tables import tables

CARD: Final = Card(
    licence="as its authors state for this file; MI2RLNet's program is Apache-2.0, which need not cover the weights",
    source="checkpoint published with MI2RLNet (Asan Medical Center, MI2RL)",
    intended_use="Research: what the MI2RLNet paper describes. Not a medical device.",
)


def import_published(
    file: Path, name: str, folder: Path, recipe: str | None = None, card: Card | None = None
) -> Weights:
    """Add a published checkpoint to `folder`/catalog.toml as entry `name`; WeightsError where that cannot be."""
    return Importer(tables(), open_torch).import_weights(file, name, folder, recipe, card or CARD)


def keep_published(file: Path, name: str, folder: Path, recipe: str | None = None) -> Weights:
    """Add a published Keras checkpoint as it is, for TensorFlow to run; WeightsError where that cannot be."""
    return Importer(tables(), open_torch).keep_weights(file, name, folder, recipe, CARD)
