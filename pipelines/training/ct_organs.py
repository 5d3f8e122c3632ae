"""How liver and kidneys are learnt, slice by slice: 1 liver; 1 kidney, 2 kidney tumour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.images import Volume
from pipelines.networks.lite_unet import LiteUNet
from pipelines.networks.unet import CompactUNet
from pipelines.published.stages import turned as oriented_like
from pipelines.slicewise import boxed, squares
from pipelines.training.losses import mask_loss
from pipelines.training.segmenting import FIRST_STAGES, Sample, Turns, planes, scanned, turned
from pipelines.training.task import Arrays, Random, Task

LIVER_TURNS: Final = Turns(15, (0.75, 1.3), 0.1, upside_down=0.25)  # a tenth of the pictures hang upside down
KIDNEY_TURNS: Final = Turns(20, (0.75, 1.35), 0.12, mirror=0.5, upside_down=0.3)


def samples(image: Volume, values: NDArray[np.uint8]) -> Iterator[Sample]:
    """Yield every slice in the network's square."""
    labels = oriented_like(image.oriented("SPL"), values)
    box = boxed(labels)
    for square, marked in zip(squares(image), labels, strict=True):
        picture = np.asarray(np.rint(square * 255), np.uint8)
        yield Sample(picture, np.asarray(box.put(marked, cv2.INTER_NEAREST), np.uint8))


def draw_with(turns: Turns) -> Callable[[Sample, Random], Arrays]:
    """Return what changes a slice by chance."""

    def draw(sample: Sample, random: Random) -> Arrays:
        changed = turned(sample, turns, random)
        return planes(scanned(changed.picture, random)), changed.labels

    return draw


LIVER = Task(
    pipeline="liver_ct",
    recipe="liver-ct-small",
    network=lambda: LiteUNet(inputs=1, outputs=1),
    samples=samples,
    draw=draw_with(LIVER_TURNS),
    loss=mask_loss(1, half=False, each=True),
    head=("head",),
    kept=FIRST_STAGES,
    rate=8e-4,
    classes=("liver",),
)
KIDNEY = Task(
    pipeline="kidney_tumor_ct",
    recipe="kidney-ct-small",
    network=lambda: CompactUNet(inputs=1, outputs=2),
    samples=samples,
    draw=draw_with(KIDNEY_TURNS),
    loss=mask_loss(2, each=True),
    head=("head",),
    classes=("kidney", "kidney tumour"),
)
