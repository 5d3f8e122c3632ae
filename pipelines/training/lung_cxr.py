"""Train and measure `lung_cxr_small`: python -m pipelines.training.lung_cxr --data DIR --out DIR."""

from __future__ import annotations

import argparse
import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from monai.losses.dice import MaskedDiceLoss
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pipelines.networks.unet import CompactUNet
from pipelines.pictures import Letterbox, standardised
from pipelines.training.data import CxrRow, read_cxr, read_grey, split_cxr
from pipelines.training.loop import Batch, Plan, export, fit

log = logging.getLogger(__name__)

SIZE = 256
BATCH = 8
IGNORE = 127


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One radiograph in the network's square."""

    picture: NDArray[np.uint8]  # (size, size)
    lungs: NDArray[np.uint8]  # (size, size): 0 none, 1 image-left, 2 image-right, 127 unknown


def read_sample(row: CxrRow, size: int = SIZE) -> Sample:
    """Read a row that has a mask."""
    if row.mask is None:
        raise ValueError(f"{row.image.name} has no mask")
    picture, mask = row.read(), read_grey(row.mask)
    box = Letterbox(picture.shape[0], picture.shape[1], size)
    return Sample(box.put(picture), box.put(sides(mask, row), cv2.INTER_NEAREST))


def sides(mask: NDArray[np.uint8], row: CxrRow) -> NDArray[np.uint8]:
    """Split a lung mask (255 lung) into 1 image-left and 2 image-right lung, column by column where they touch."""
    count, labels, stats, centres = cv2.connectedComponentsWithStats((mask == 255).astype(np.uint8))
    middle = _middle(row, stats, centres) if count > 1 else mask.shape[1] / 2
    lungs = np.where(mask == IGNORE, IGNORE, 0).astype(np.uint8)
    columns = np.broadcast_to(np.arange(mask.shape[1]), mask.shape)
    for label in range(1, count):
        left, width = stats[label, cv2.CC_STAT_LEFT], stats[label, cv2.CC_STAT_WIDTH]
        astride = left < middle - 0.25 * width and left + width > middle + 0.25 * width
        position = columns if astride else np.full(mask.shape, centres[label, 0])
        lungs[labels == label] = np.where(position < middle, 1, 2)[labels == label]
    return lungs


def _middle(row: CxrRow, stats: NDArray[Any], centres: NDArray[Any]) -> float:
    """Return the column between the lungs: from two clear components, else from the boxes."""
    order = np.argsort(stats[1:, cv2.CC_STAT_AREA])[::-1] + 1
    if len(order) > 1 and stats[order[1], cv2.CC_STAT_AREA] > 0.2 * stats[order[0], cv2.CC_STAT_AREA]:
        return float(centres[order[:2], 0].mean())
    if row.right_box and row.left_box:
        return sum(x + width / 2 for x, _, width, _ in (row.right_box, row.left_box)) / 2
    return float(stats[0, cv2.CC_STAT_WIDTH] / 2)


def augmented(sample: Sample, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return a randomly turned, scaled, mirrored and re-exposed copy."""
    size = sample.picture.shape[0]
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), random.uniform(-14, 14), random.uniform(0.75, 1.25))
    turn = turn + np.array([[0, 0, 1], [0, 0, 1]]) * random.uniform(-0.1, 0.1, (2, 1)) * size
    picture = np.asarray(cv2.warpAffine(sample.picture, turn, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
    lungs = np.asarray(cv2.warpAffine(sample.lungs, turn, (size, size), flags=cv2.INTER_NEAREST), np.uint8)
    if random.random() < 0.5:
        picture = picture[:, ::-1]
        lungs = _mirrored(lungs)
    picture = _exposed(np.ascontiguousarray(picture), random)
    return standardised(picture), np.ascontiguousarray(lungs)


def _mirrored(lungs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    swap = np.arange(256, dtype=np.uint8)
    swap[1], swap[2] = 2, 1
    return swap[lungs[:, ::-1]]


def _exposed(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Change gamma, contrast, sharpness and noise; sometimes cover a rectangle as a device or label would."""
    values = (picture.astype(np.float32) / 255) ** np.exp(random.uniform(-0.6, 0.6))
    values = values * random.uniform(0.6, 1.1) + random.uniform(0, 0.15) * (picture > 2)
    if random.random() < 0.3:
        values = cv2.GaussianBlur(values, (0, 0), random.uniform(0.4, 1.5))
    values = values + random.normal(0, random.uniform(0, 0.04), values.shape)
    if random.random() < 0.3:
        size = picture.shape[0]
        y, x = random.integers(0, size, 2)
        height, width = random.integers(size // 16, size // 4, 2)
        values[y : y + height, x : x + width] = random.uniform(0, 1)
    return np.asarray(np.clip(values, 0, 1) * 255, np.uint8)


def batches(samples: list[Sample], epoch: int, seed: int) -> Iterator[Batch]:
    """Yield one epoch of shuffled, augmented batches: pictures (n, 1, h, w), lungs (n, h, w)."""
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(samples))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        pairs = [augmented(samples[index], random) for index in order[start : start + BATCH]]
        yield (
            torch.from_numpy(np.stack([picture for picture, _ in pairs])[:, None].astype(np.float32)),
            torch.from_numpy(np.stack([lungs for _, lungs in pairs])),
        )


def loss(network: nn.Module, batch: Batch) -> Tensor:
    """Dice plus cross-entropy of the two lungs, unknown pixels left out."""
    pictures, lungs = batch
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(pictures.contiguous(memory_format=torch.channels_last))
    logits = logits.float()
    known = (lungs != IGNORE)[:, None].float()
    target = torch.stack([lungs == 1, lungs == 2], dim=1).float()
    entropy = functional.binary_cross_entropy_with_logits(logits, target, known.expand_as(target))
    dice: Tensor = MaskedDiceLoss(sigmoid=True, batch=True)(logits, target, known)
    return entropy + dice


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient; 1 where both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / total if total else 1.0


def main() -> None:
    """Train on the licensed patients and write weights.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with cxr/")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and weights")
    parser.add_argument("--epochs", type=int, default=150)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    split = split_cxr(row for row in read_cxr(options.data / "cxr") if row.mask)
    log.info("train %d, tune %d, test %d", len(split.train), len(split.tune), len(split.test))
    samples = [read_sample(row) for row in split.train]
    plan = Plan(options.out, options.epochs, steps=len(samples) // BATCH)
    torch.manual_seed(plan.seed)
    network = CompactUNet(1, 2)
    trained = fit(network, lambda epoch: batches(samples, epoch, plan.seed), loss, plan)
    log.info("sha256 %s", export(trained, options.out / "weights.safetensors"))


if __name__ == "__main__":
    main()
