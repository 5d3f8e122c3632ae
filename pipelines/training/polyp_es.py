"""How polyps are learnt: colour pictures with masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.images import Photograph
from pipelines.networks.lite_unet import LiteUNet
from pipelines.polyp_es import SmallPolyps
from pipelines.training.losses import mask_loss
from pipelines.training.segmenting import FIRST_STAGES, Sample, Turns, lit, planes, turned
from pipelines.training.task import Arrays, Random, Task

TURNS: Final = Turns(degrees=180, scale=(0.7, 1.4), stretch=0.15, shift=0.12, mirror=0.5)


def samples(image: Photograph, values: NDArray[np.uint8]) -> Iterator[Sample]:
    """Yield every frame, its border included: how far it is cut is left to chance.

    Any value of the mask is a polyp where none is above 127, else those above.
    """
    size = (SmallPolyps.size, SmallPolyps.size)
    for picture, mask in zip(image.pictures, values > 127 if (values > 127).any() else values > 0, strict=True):
        square = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        marked = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        yield Sample(np.asarray(square, np.uint8), np.asarray(marked, np.uint8))


def draw(sample: Sample, random: Random) -> Arrays:
    """Return a changed copy."""
    changed = turned(sample, TURNS, random)
    return planes(lit(changed.picture, random)), changed.labels


SMALL = Task(
    pipeline="polyp_es",
    recipe="polyp-es-small",
    network=lambda: LiteUNet(inputs=3, outputs=1),
    samples=samples,
    draw=draw,
    loss=mask_loss(1, half=False),
    head=("head",),
    kept=FIRST_STAGES,
    rate=8e-4,
)
