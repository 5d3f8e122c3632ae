"""The kidney cascade on the original's volume, with stand-in networks or real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dicom_node.pipeline import Found
from pipelines.published.kidney import KidneyStage
from pipelines.published.kidney_modes import MODES
from pipelines.published.runner import Floats, Network
from pipelines.published.stages import StoredVolume
from tests.parity.oracle import FLOAT, PROBABILITY, SEED, Figure, figure, inputs, share, stored

# offset of kidney and of tumour in the normalised voxel, by mode
STEPS = {"2_1": (0.35, 0.66), "2_2": (0.0, 2.7), "2_3": (0.3, 0.8), "2_4": (0.3, 0.8), "2_5": (0.0, 2.7)}


def stand_in(mode: str) -> Network:
    """A network that is a function of each voxel alone."""

    def find(x: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-60 * (x.astype(np.float64) - 0.35))), np.float32)

    def tell_apart(x: Floats) -> Floats:
        kidney, tumour = STEPS[mode]
        value = x[..., 0].astype(np.float64)
        organ = 30 * (value - kidney)
        logits = np.stack([np.zeros_like(value), organ, organ + 60 * (value - tumour)], -1)
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        return np.asarray(odds / odds.sum(-1, keepdims=True), np.float32)

    return find if mode == "1" else tell_apart


def volume() -> StoredVolume:
    """The original's volume, slices from the feet up."""
    upside: Any = inputs().kidney_vol(SEED)
    return StoredVolume(np.ascontiguousarray(upside[::-1], np.float32), (3.0, 0.8, 0.8))


def cascade_figures(
    name: str, networks: Callable[[str], Network], probability: Mapping[str, float] | None = None
) -> Iterator[Figure]:
    """Compare each mode's inputs, outputs and mask with `name`'s; `probability` overrides the tolerance by mode."""
    theirs, image = stored(name), volume()
    found: Found | None = None
    for mode in MODES:
        stage = KidneyStage(mode, networks(mode))
        batch = stage.prepare(image, found)
        output = stage.infer(batch)
        found = stage.finish(output, image)
        for k, (one, out) in enumerate(zip(batch.inputs, output.outputs, strict=True)):
            yield figure(name, f"{mode}/in{k}_shape", one.shape, theirs[f"{mode}/in{k}_shape"], 0)
            yield figure(name, f"{mode}/in{k}", one[:, ::6, ::6, ::6], theirs[f"{mode}/in{k}"], FLOAT)
            most = (probability or {}).get(mode, PROBABILITY)
            yield figure(name, f"{mode}/out{k}", out[0, ::6, ::6, ::6], theirs[f"{mode}/out{k}"], most)
        yield share(name, f"mask/{mode}", found[-1].labels, theirs[f"mask/{mode}"])  # type: ignore[union-attr]
