"""Train and measure `contrast_ct_small`: python -m pipelines.training.contrast_ct --data DIR --out DIR [--fold K].

With --fold, the patients of that fifth are left out and their slices' probabilities written to out/fold.json; without,
all are trained on and the weights written.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from pipelines.ct_slices import PIXEL_MM, SIZE, resampled, windowed
from pipelines.networks.classifier import CompactClassifier
from pipelines.training.data import CtSlice, folds_of, read_contrast, read_slice
from pipelines.training.loop import Batch, Plan, export, fit

log = logging.getLogger(__name__)

BATCH = 16
FOLDS = 5
SLICES_PER_EPOCH = 160
BLOOD_HU = 42.0  # unenhanced


def vessels(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return where iodine is in an enhanced slice, 0 .. 1: even regions of 80 to 450 HU that hold no cortical bone."""
    smooth = np.asarray(cv2.GaussianBlur(hu, (0, 0), 1.0), np.float32)
    spread = np.asarray(cv2.GaussianBlur((hu - smooth) ** 2, (0, 0), 2.0), np.float32)
    candidates = ndimage.binary_opening((smooth > 80) & (smooth < 450) & (spread < 60.0**2))
    labels, count = ndimage.label(candidates)
    if count == 0:
        return np.zeros_like(hu)
    bone = ndimage.binary_dilation(smooth > 500, iterations=2)
    index = range(1, count + 1)
    sizes = ndimage.sum_labels(candidates, labels, index)
    touching = ndimage.sum_labels(bone, labels, index) / sizes
    keep = np.flatnonzero((touching < 0.2) & (sizes > 20)) + 1
    soft = cv2.GaussianBlur(np.isin(labels, keep).astype(np.float32), (0, 0), 0.7)
    return np.asarray(soft, np.float32)


def training_slices(folder: Path, held_out: int | None) -> tuple[list[CtSlice], list[CtSlice]]:
    """Return training and held-out slices; a few unenhanced slices of one more patient always train."""
    slices = read_contrast(folder / "ct_contrast")
    folds = folds_of([one.patient for one in slices], [one.enhanced for one in slices], FOLDS)
    train = [one for one, fold in zip(slices, folds, strict=True) if fold != held_out]
    held = [one for one, fold in zip(slices, folds, strict=True) if fold == held_out]
    more = sorted((folder / "ct_chest_dicom_jpegls").glob("*.dcm"))[4::12]
    train.extend(read_slice(path, enhanced=False, patient="LIDC-IDRI-0314") for path in more)
    return train, held


class Slices:
    """Slices ready for augmentation, drawn evenly from both classes."""

    def __init__(self, slices: Sequence[CtSlice]) -> None:
        self.hu = [resampled(one.hu, (one.spacing_mm, one.spacing_mm)) for one in slices]
        self.enhanced = [one.enhanced for one in slices]
        self.vessels = [vessels(hu) if yes else None for hu, yes in zip(self.hu, self.enhanced, strict=True)]
        self.classes = [[i for i, yes in enumerate(self.enhanced) if yes is wanted] for wanted in (False, True)]

    def draw(self, random: np.random.Generator) -> tuple[NDArray[np.float32], float]:
        """Return one augmented slice, (windows, SIZE, SIZE), and whether it is enhanced.

        Iodine is taken out of, or thinned in, some enhanced slices: the same patient with other blood is the pair that
        teaches what the question is about.
        """
        index = int(random.choice(self.classes[int(random.integers(2))]))
        hu, enhanced, blood = self.hu[index], self.enhanced[index], self.vessels[index]
        if blood is not None and random.random() < 0.7:
            kept = random.uniform(0.0, 0.1) if random.random() < 0.3 else random.uniform(0.5, 1.4)
            enhanced = kept > 0.3
            hu = hu + blood * np.maximum(hu - BLOOD_HU, 0) * np.float32(kept - 1)
        return windowed(_disturbed(hu, random)), float(enhanced)

    def batches(self, epoch: int, seed: int) -> Iterator[Batch]:
        """Yield one epoch: slices (n, windows, SIZE, SIZE) and answers (n,)."""
        random = np.random.default_rng((seed, epoch))
        for _ in range(SLICES_PER_EPOCH // BATCH):
            pairs = [self.draw(random) for _ in range(BATCH)]
            answers = torch.tensor([enhanced for _, enhanced in pairs])
            yield torch.from_numpy(np.stack([hu for hu, _ in pairs])), answers


def _disturbed(hu: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Turn, scale, mirror, crop, and give the slice another kernel, noise and calibration."""
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), random.uniform(-15, 15), random.uniform(0.85, 1.2))
    turn = turn + np.array([[0, 0, 1], [0, 0, 1]]) * random.uniform(-0.08, 0.08, (2, 1)) * SIZE
    values = np.asarray(cv2.warpAffine(hu, turn, (SIZE, SIZE), borderValue=-1024.0), np.float32)
    values = values[:, ::-1] if random.random() < 0.5 else values
    values = values[::-1] if random.random() < 0.2 else values
    kernel = random.uniform(-0.7, 1.2)  # below 0 sharpens, above smooths
    blurred = np.asarray(cv2.GaussianBlur(values, (0, 0), max(abs(kernel), 0.3)), np.float32)
    values = blurred if kernel > 0 else values + (values - blurred) * np.float32(random.uniform(0, 1.5))
    white = random.normal(0, 1, (SIZE, SIZE)).astype(np.float32)
    grain = np.asarray(cv2.GaussianBlur(white, (0, 0), random.uniform(0.3, 1.2)), np.float32)
    values = values + grain * np.float32(random.uniform(0, 25) / max(float(grain.std()), 1e-6))
    return values * np.float32(random.uniform(0.98, 1.02)) + np.float32(random.uniform(-8, 8))


def loss(network: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy with a little smoothing: 81 slices cannot justify certainty."""
    slices, answers = batch
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(slices.contiguous(memory_format=torch.channels_last))
    return functional.binary_cross_entropy_with_logits(logits[:, 0].float(), answers * 0.94 + 0.03)


def probabilities(network: nn.Module, slices: Sequence[CtSlice]) -> list[float]:
    """Return each slice's probability of enhancement, mirror-averaged as the pipeline does it."""
    squares = [windowed(resampled(one.hu, (one.spacing_mm, one.spacing_mm))) for one in slices]
    batch = torch.from_numpy(np.stack(squares))
    with torch.inference_mode():
        logits: Tensor = network(batch) + network(batch.flip(-1))
    return [float(one) for one in torch.sigmoid(logits[:, 0] / 2)]


def main() -> None:
    """Train one fold, or the weights that ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with ct_contrast/ and ct_chest_dicom_jpegls/")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and weights")
    parser.add_argument("--fold", type=int, help=f"0 to {FOLDS - 1}: leave these patients out and measure on them")
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    train, held = training_slices(options.data, options.fold)
    log.info("train %d, held out %d, %.1f mm per pixel", len(train), len(held), PIXEL_MM)
    samples = Slices(train)
    plan = Plan(options.out, options.epochs, steps=SLICES_PER_EPOCH // BATCH, average=0.98)
    torch.manual_seed(plan.seed)
    trained = fit(CompactClassifier(3, 1), lambda epoch: samples.batches(epoch, plan.seed), loss, plan)
    log.info("sha256 %s", export(trained, options.out / "weights.safetensors"))
    if held:
        rows = [
            {"patient": one.patient, "manufacturer": one.manufacturer, "enhanced": one.enhanced, "probability": value}
            for one, value in zip(held, probabilities(trained, held), strict=True)
        ]
        (options.out / "fold.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
