"""How contrast enhancement is learnt: CT slices or stacks labelled enhanced or non-enhanced."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.images import Volume
from pipelines.contrast_ct import ContrastSettings, spread
from pipelines.ct_slices import SIZE, resampled, windowed
from pipelines.networks.classifier import CompactClassifier
from pipelines.published.contrast import CLASSES, EnhanceStage
from pipelines.published.recipes import skeleton
from pipelines.training.augment import PICTURE, Chances
from pipelines.training.losses import class_loss, probability_loss
from pipelines.training.task import Arrays, Random, Task

BLOOD_HU: Final = 42.0  # unenhanced
SCANNER: Final = Chances(gamma=0, noise=0.004, holes=0)  # brightness is the question: it may not change


@dataclasses.dataclass(frozen=True, slots=True)
class Slice:
    """One slice in the network's square."""

    hu: NDArray[np.float32]  # (SIZE, SIZE)
    blood: NDArray[np.float32] | None  # where iodine is, 0 .. 1; None in a slice without
    enhanced: bool


def small_samples(image: Volume, label: str) -> Iterator[Slice]:
    """Return a stack's slices as contrast-ct-small samples them."""
    oriented = image.oriented("SPL")
    enhanced = label == "enhanced"
    for plane in spread(oriented.array, ContrastSettings().slices):
        hu = resampled(plane, oriented.spacing_mm[1:])
        yield Slice(hu, vessels(hu) if enhanced else None, enhanced)


def draw_small(sample: Slice, random: Random) -> Arrays:
    """Return one changed slice, (windows, SIZE, SIZE), and whether it is enhanced.

    Iodine is taken out of, or thinned in, some enhanced slices: the same patient with other blood is the pair that
    teaches what the question is about.
    """
    hu, enhanced = sample.hu, sample.enhanced
    if sample.blood is not None and random.random() < 0.7:
        kept = random.uniform(0.0, 0.1) if random.random() < 0.3 else random.uniform(0.5, 1.4)
        enhanced = kept > 0.3
        hu = hu + sample.blood * np.maximum(hu - BLOOD_HU, 0) * np.float32(kept - 1)
    return windowed(_disturbed(hu, random)), np.asarray(enhanced, np.int64)


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


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """One slice as EnhanceCls takes it."""

    windows: NDArray[np.float32]  # (2, 256, 256)
    enhanced: bool


def published_samples(image: Volume, label: str) -> Iterator[Prepared]:
    """Return a stack's slices as EnhanceCls samples and scales them."""
    (batch,) = EnhanceStage(lambda batch: batch, lambda _found, _image: ()).prepare(image, None).inputs
    for windows in batch:
        yield Prepared(windows.transpose(2, 0, 1), label == "enhanced")


def draw_published(sample: Prepared, random: Random) -> Arrays:
    """Return one turned and mirrored slice and its class."""
    size = sample.windows.shape[-1]
    changed = SCANNER(sample.windows, np.zeros((size, size), np.uint8), random)
    return changed[PICTURE], np.asarray(CLASSES.index("enhanced" if sample.enhanced else "non-enhanced"), np.int64)


SMALL = Task(
    pipeline="contrast_ct",
    recipe="contrast-ct-small",
    network=lambda: CompactClassifier(inputs=3, classes=1),
    samples=small_samples,
    draw=draw_small,
    loss=class_loss,
    head=("head",),
    epochs=60,
    batch=16,
    average=0.98,
    draws=2,
    balance=lambda sample: sample.enhanced,
)
PUBLISHED = Task(
    pipeline="contrast_ct",
    recipe="EnhanceCls",
    network=lambda: skeleton("EnhanceCls").to_empty(device="cpu"),
    samples=published_samples,
    draw=draw_published,
    loss=probability_loss,
    head=("predictions", "final_layer"),
    epochs=20,
    batch=8,
    rate=1e-3,
    balance=lambda sample: sample.enhanced,
    published=True,
)
