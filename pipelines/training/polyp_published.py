"""How PolypDet is trained further: colonoscopy pictures with masks of the polyps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.images import Photograph
from pipelines.photographs import fields
from pipelines.published.polyp import SIZE, prepared
from pipelines.published.recipes import skeleton
from pipelines.training.augment import LABELS, PICTURE, Chances
from pipelines.training.losses import mask_loss
from pipelines.training.task import Arrays, Random, Task

CHANCES: Final = Chances(degrees=90, scale=0.2, upside_down=0.5, gamma=0.3, holes=0.2)


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One picture as PolypDet takes it, its border cut off."""

    picture: NDArray[np.float32]  # (3, 512, 512)
    polyps: NDArray[np.uint8]  # (512, 512), 0 or 1


def samples(image: Photograph, values: NDArray[np.uint8]) -> Iterator[Sample]:
    """Prepare every frame; any value of the mask is a polyp where none is above 127, else those above."""
    marked = values > 127 if (values > 127).any() else values > 0
    for field, picture, mask in zip(fields(image.pictures), image.pictures, marked, strict=True):
        polyps = cv2.resize(field.of(mask).astype(np.uint8), (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
        yield Sample(prepared(field.of(picture)), np.asarray(polyps, np.uint8))


def draw(sample: Sample, random: Random) -> Arrays:
    """Return a changed copy."""
    changed = CHANCES(sample.picture, sample.polyps, random)
    return changed[PICTURE], changed[LABELS]


PUBLISHED = Task(
    pipeline="polyp_es",
    recipe="PolypDet",
    network=lambda: skeleton("PolypDet").to_empty(device="cpu"),
    samples=samples,
    draw=draw,
    loss=mask_loss(1, half=False),
    head=("fc",),
    epochs=20,
    batch=2,
    rate=3e-4,
    published=True,
)
