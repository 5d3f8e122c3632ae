"""The kidney cascade on the original's volume, with stand-in networks or real ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813  # its usual name
from numpy.typing import NDArray

from dicom_node.images import Stack, Volume
from pipelines.published.kidney import KidneyStage, cascade
from pipelines.published.kidney_modes import MODES
from pipelines.published.runner import Floats, Network
from pipelines.published.stages import Raw
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


def volume() -> Volume:
    """The original's volume, slices from the feet up."""
    upside: Any = inputs().kidney_vol(SEED)
    return axial(np.ascontiguousarray(upside[::-1], np.float32))


def write_volume(folder: Path) -> Path:
    """Write the original's volume as its NIfTI file: axes (slice from the head down, row, column)."""
    stored: Any = sitk.GetImageFromArray(np.ascontiguousarray(inputs().kidney_vol(SEED).transpose(2, 1, 0)))
    stored.SetSpacing((3.0, 0.8, 0.8))
    stored.SetDirection((0, 0, 1, 0, 1, 0, -1, 0, 0))
    sitk.WriteImage(stored, str(folder / "kidney.nii"))
    return folder / "kidney.nii"


def axial(array: NDArray[np.float32]) -> Volume:
    """Slices to the head, rows to posterior, columns to the left."""
    affine = np.diag([0.0, 0, 0, 1])
    affine[2, 0], affine[1, 1], affine[0, 2] = 3.0, 0.8, 0.8
    return Volume(array, affine, "", Stack("", "", (), {}))


def shown_by(networks: Mapping[str, Network], image: Volume) -> Raw:
    """Run the cascade, and return what each stage shows of itself."""
    shown: Raw = {}

    def watch(stage: Any, batch: Any, output: Any) -> None:
        if isinstance(stage, KidneyStage):
            shown.update(stage.raw(batch, output, image))

    cascade(networks, lambda *_: ())(image, watch)
    return shown


def cascade_figures(name: str, ours: Raw) -> Iterator[Figure]:
    """Compare each mode's inputs, outputs and mask with `name`'s."""
    theirs = stored(name)
    for mode in MODES:
        for k in range(sum(key.startswith(f"{mode}/out") for key in theirs)):
            given, made = ours[f"{mode}/in{k}"], ours[f"{mode}/out{k}"]
            yield figure(name, f"{mode}/in{k}_shape", given.shape, theirs[f"{mode}/in{k}_shape"], 0)
            yield figure(name, f"{mode}/in{k}", given[:, ::6, ::6, ::6], theirs[f"{mode}/in{k}"], FLOAT)
            yield figure(name, f"{mode}/out{k}", made[::6, ::6, ::6], theirs[f"{mode}/out{k}"], PROBABILITY)
        yield share(name, f"mask/{mode}", ours[f"{mode}/mask"], theirs[f"mask/{mode}"])
