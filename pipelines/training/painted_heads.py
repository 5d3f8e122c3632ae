"""Train `brain_mr_small` on contrasts that no scanner made: python -m pipelines.training.painted_heads --help.

As SynthStrip (Hoopes et al., NeuroImage 2022, 119474) does it, each sample draws its intensities anew from a label map
of the whole head, so that the network learns shapes and not a scanner's grey values. No MR image is trained on.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from dicom_node.images import Volume
from dicom_node.imaging import read_plain
from pipelines.networks.unet import CompactUNet
from pipelines.slabs import OFFSETS, PIXEL_MM, SLABS, scaled
from pipelines.training.loop import Batch, Plan, export, fit
from pipelines.training.losses import mask_loss
from pipelines.training.task import Random

log = logging.getLogger(__name__)

SIZE = 128
BATCH = 16
STEPS = 60
BRAIN: Final = (*range(2, 61), 72, 77, 85, 136, 137, 163, 164)
WHITE: Final = (2, 7, 41, 46, 16, 28, 60)  # white matter of both sides and of the cerebellum, brain stem
GREY: Final = (3, 8, 42, 47, 10, 11, 12, 13, 17, 18, 49, 50, 51, 52, 53, 54)
FLUID: Final = (4, 5, 14, 15, 24, 43, 44)
_TURN: Final = 0.3  # radians, about any axis
_TISSUES: Final = 3  # pieces into which a label outside the brain is parted: it holds fat, muscle and vessels alike
Labels = NDArray[np.int16]


def read_heads(folder: Path, random: Random, copies: int = 2) -> list[Labels]:
    """Return label maps in cubes of SIZE voxels of PIXEL_MM, axes superior, posterior, left; each also rotated."""
    heads: list[Labels] = []
    for path in sorted(folder.glob("*.nii.gz")):
        image = read_plain(path, Volume)
        if not isinstance(image, Volume):
            raise TypeError(f"{path} is no volume")
        oriented = image.oriented("SPL")
        angles = [np.zeros(3), *random.uniform(-_TURN, _TURN, (copies - 1, 3))]
        heads.extend(_resampled(oriented.array.astype(np.int16), oriented.spacing_mm, one) for one in angles)
    return heads


def _resampled(labels: Labels, spacing_mm: tuple[float, float, float], angles: NDArray[np.float64]) -> Labels:
    matrix = Rotation.from_rotvec(angles).as_matrix() * PIXEL_MM / np.array(spacing_mm)[:, None]
    offset = (np.array(labels.shape) - 1) / 2 - matrix @ np.full(3, (SIZE - 1) / 2)
    return np.asarray(ndimage.affine_transform(labels, matrix, offset, (SIZE,) * 3, order=0), np.int16)


def slab(head: Labels, random: Random) -> Labels:
    """Return neighbouring slices (SLABS, SIZE, SIZE) across one of the three axes, mostly where there is brain."""
    axis = int(random.integers(3))
    middle = int(np.clip(random.normal(SIZE / 2, SIZE / 5), -min(OFFSETS), SIZE - 1 - max(OFFSETS)))
    return np.stack([head.take(middle + offset, axis) for offset in OFFSETS])


def bent(slices: Labels, random: Random) -> Labels:
    """Turn, scale, mirror and bend all slices of a slab alike."""
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), random.uniform(-25, 25), random.uniform(0.8, 1.25))
    matrix = np.asarray(turn, np.float64)
    matrix[:, 2] += random.uniform(-0.15, 0.15, 2) * SIZE
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    strength = random.uniform(0, 4)
    pulled = [one + strength * smooth_field(random, int(random.integers(3, 9))) for one in (x, y)]
    source = np.stack([*pulled, np.ones_like(x)], -1) @ matrix.T.astype(np.float32)
    across, down = np.ascontiguousarray(source[..., 0]), np.ascontiguousarray(source[..., 1])
    if random.random() < 0.5:
        across = SIZE - 1 - across
    if random.random() < 0.3:
        down = SIZE - 1 - down
    return np.stack([cv2.remap(one, across, down, cv2.INTER_NEAREST) for one in slices])


def smooth_field(random: Random, nodes: int) -> NDArray[np.float32]:
    """Return (SIZE, SIZE) of a smooth random field with about unit variance."""
    coarse = random.normal(0, 1, (nodes, nodes)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), np.float32)


def painted(labels: Labels, random: Random) -> NDArray[np.float32]:
    """Draw an intensity for each label, 0 .. 1; half of the heads resemble T1, outside the brain anything goes."""
    means = random.uniform(0, 1, 1024).astype(np.float32)
    if random.random() < 0.6:
        white = random.uniform(0.55, 0.95)
        grey = white * random.uniform(0.55, 0.92)
        for group, value in ((WHITE, white), (GREY, grey), (FLUID, grey * random.uniform(0.1, 0.7))):
            means[list(group)] = value + random.normal(0, 0.02, len(group))
    elif random.random() < 0.5:  # the structures of one kind are alike, whatever the contrast
        for group in (WHITE, GREY, FLUID):
            means[list(group)] = random.uniform(0, 1) + random.normal(0, 0.03, len(group))
    means[0] = 0 if random.random() < 0.7 else random.uniform(0, 0.4)
    outside = labels >= 500
    pieces = np.digitize(
        smooth_field(random, int(random.integers(6, 40))), random.uniform(-1, 1, _TISSUES - 1).cumsum()
    )
    parted = np.where(outside, labels + 100 * pieces[None].astype(np.int16), labels)
    spread = random.uniform(0, 0.08, 1024).astype(np.float32)
    spread[0] *= 0.3
    return np.asarray(means[parted] + spread[parted] * random.standard_normal(labels.shape, np.float32), np.float32)


def scanned(values: NDArray[np.float32], random: Random) -> NDArray[np.float32]:
    """Blur, sample coarsely, shade by the coil, and add noise."""
    sigma = random.uniform(0.2, 1.1)
    values = np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in values])
    if random.random() < 0.4:  # thick slices or pixels that are no squares
        size = [max(32, int(SIZE / random.uniform(1, 3))) if random.random() < 0.6 else SIZE for _ in range(2)]
        coarse = [cv2.resize(one, (size[0], size[1]), interpolation=cv2.INTER_AREA) for one in values]
        values = np.stack([cv2.resize(one, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR) for one in coarse])
    shade = np.exp(random.uniform(0, 0.35) * smooth_field(random, int(random.integers(2, 5))))
    values = cv2.pow(np.maximum(values * shade.astype(np.float32), 0), float(np.exp(random.uniform(-0.4, 0.4))))
    noise = np.float32(random.uniform(0, 0.07)) * random.standard_normal((2, *values.shape), np.float32)
    return np.asarray(np.sqrt((values + noise[0]) ** 2 + noise[1] ** 2), np.float32)


def batches(heads: list[Labels], epoch: int, seed: int) -> Iterator[Batch]:
    """Yield one epoch: slabs (n, SLABS, SIZE, SIZE) and the middle slice's brain (n, SIZE, SIZE)."""
    random = np.random.default_rng((seed, epoch))
    brain = np.isin(np.arange(1024), BRAIN)
    for _ in range(STEPS):
        slabs, masks = [], []
        for _ in range(BATCH):
            labels = bent(slab(heads[int(random.integers(len(heads)))], random), random)
            values = scanned(painted(labels, random), random)
            slabs.append(
                scaled(
                    values,
                    float(np.percentile(values[:, ::3, ::3], random.uniform(97, 99.8))) * random.uniform(0.8, 1.3),
                )
            )
            masks.append(brain[labels[SLABS // 2]].astype(np.uint8))
        yield torch.from_numpy(np.stack(slabs)), torch.from_numpy(np.stack(masks))


def main() -> None:
    """Train on all label maps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with brain_labels/")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and weights")
    parser.add_argument("--epochs", type=int, default=80)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    plan = Plan(options.out, options.epochs, steps=STEPS)
    heads = read_heads(options.data / "brain_labels", np.random.default_rng(plan.seed))
    log.info("%d heads", len(heads))
    torch.manual_seed(plan.seed)
    trained = fit(CompactUNet(SLABS, 1), lambda epoch: batches(heads, epoch, plan.seed), mask_loss(1), plan)
    log.info("sha256 %s", export(trained, options.out / "weights.safetensors"))


if __name__ == "__main__":
    main()
