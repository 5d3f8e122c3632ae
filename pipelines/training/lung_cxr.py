"""How the lungs of a frontal radiograph are learnt: masks of 255 for lung, or 1 and 2 for image-left and -right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.images import Radiograph
from pipelines.lung_cxr import TwoLungs
from pipelines.networks.unet import CompactUNet
from pipelines.pictures import letterbox, standardised
from pipelines.published.lungs import SIZE, prepared
from pipelines.published.recipes import skeleton
from pipelines.training.augment import LABELS, PICTURE, Chances
from pipelines.training.losses import UNKNOWN, mask_loss
from pipelines.training.lung_sides import sides
from pipelines.training.task import Arrays, Random, Task

CHANCES: Final = Chances(degrees=14, scale=0.25, mirror=0)


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One radiograph in the network's square."""

    picture: NDArray[np.float32]  # (1, size, size)
    lungs: NDArray[np.uint8]  # (size, size): 0 none, 1 image-left, 2 image-right, 127 unknown


def told_apart(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a mask's values as 0, 1, 2 and 127; lungs not told apart are parted by where they lie."""
    return sides(values) if (values > UNKNOWN).any() else values


def small_samples(image: Radiograph, values: NDArray[np.uint8]) -> Iterator[Sample]:
    """Prepare a radiograph as lung-cxr-small sees it."""
    box = letterbox(image, TwoLungs.size)
    labels = box.put(told_apart(values[0]), cv2.INTER_NEAREST)
    yield Sample(standardised(box.put(image.picture))[None], labels)


def published_samples(image: Radiograph, values: NDArray[np.uint8]) -> Iterator[Sample]:
    """Prepare a radiograph as LungSeg sees it: both lungs are one part."""
    lungs = told_apart(values[0])
    lungs = np.where(lungs == UNKNOWN, UNKNOWN, lungs > 0).astype(np.uint8)
    picture = prepared(image.picture).transpose(2, 0, 1)
    yield Sample(picture, np.asarray(cv2.resize(lungs, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST), np.uint8))


def draw_whole(sample: Sample, random: Random) -> Arrays:
    """Return a changed copy, both lungs being one part."""
    changed = dataclasses.replace(CHANCES, mirror=0.5)(sample.picture, sample.lungs, random)
    return changed[PICTURE], changed[LABELS]


def draw_sides(sample: Sample, random: Random) -> Arrays:
    """Return a changed copy; mirroring it makes the image-left lung the image-right one."""
    mirrored = bool(random.integers(2))
    picture, lungs = (sample.picture[..., ::-1], _swapped(sample.lungs)) if mirrored else (sample.picture, sample.lungs)
    changed = CHANCES(np.ascontiguousarray(picture), np.ascontiguousarray(lungs), random)
    return changed[PICTURE], changed[LABELS]


def _swapped(lungs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    swap = np.arange(256, dtype=np.uint8)
    swap[1], swap[2] = 2, 1
    return swap[lungs[:, ::-1]]


SMALL = Task(
    pipeline="lung_cxr",
    recipe="lung-cxr-small",
    network=lambda: CompactUNet(inputs=1, outputs=2),
    samples=small_samples,
    draw=draw_sides,
    loss=mask_loss(2),
    head=("head",),
    epochs=150,
    classes=("image-left lung", "image-right lung"),
    ignore=UNKNOWN,
)
PUBLISHED = Task(
    pipeline="lung_cxr",
    recipe="LungSeg",
    network=lambda: skeleton("LungSeg").to_empty(device="cpu"),
    samples=published_samples,
    draw=draw_whole,
    loss=mask_loss(1, probabilities=True, half=False),
    head=("head",),
    epochs=20,
    batch=2,
    rate=3e-4,
    ignore=UNKNOWN,
    published=True,
)
