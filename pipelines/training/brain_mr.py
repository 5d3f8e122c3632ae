"""How the brain of MR volumes is learnt, slab by slab: masks of any value for brain.

The starter weights saw painted label maps alone (`painted_heads`); this is how a site goes on from them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dicom_node.images import Volume
from pipelines.networks.unet import CompactUNet
from pipelines.published.stages import turned
from pipelines.slabs import SLABS, even, places, resized
from pipelines.training.augment import LABELS, PICTURE, Chances
from pipelines.training.losses import mask_loss
from pipelines.training.task import Arrays, Random, Task

SIZE: Final = 128  # pixels of a slab; a head of 256 mm
EVERY: Final = 3  # slices
CHANCES: Final = Chances(degrees=20, holes=0)


@dataclasses.dataclass(frozen=True, slots=True)
class Slab:
    """One slice and its neighbours."""

    values: NDArray[np.float32]  # (SLABS, SIZE, SIZE)
    brain: NDArray[np.uint8]  # (SIZE, SIZE), of the middle slice


def samples(image: Volume, values: NDArray[np.uint8]) -> Iterator[Slab]:
    """Yield slabs across each of the three axes."""
    volume = even(image)
    brain = turned(image.oriented("SPL"), values > 0).astype(np.float32)
    mask = resized(brain, list(volume.shape)) >= 0.5
    for axis in range(3):
        slices, marked = np.moveaxis(volume, axis, 0), np.moveaxis(mask, axis, 0)
        around = places(len(slices))
        for k in range(0, len(slices), EVERY):
            slab = np.stack([fitted(slices[one], -1.0) for one in around[k]])
            yield Slab(slab, fitted(marked[k].astype(np.uint8), 0))


def fitted(picture: NDArray[Any], outside: float) -> NDArray[Any]:
    """Cut or pad (rows, columns) to the slab's square, its middle kept."""
    rows, columns = (max(SIZE - n, 0) for n in picture.shape)
    margins = [(n // 2, n - n // 2) for n in (rows, columns)]
    wide = np.pad(picture, margins, constant_values=outside)
    top, left = ((n - SIZE) // 2 for n in wide.shape)
    return wide[top : top + SIZE, left : left + SIZE]


def draw(sample: Slab, random: Random) -> Arrays:
    """Return a changed copy."""
    changed = CHANCES(sample.values, sample.brain, random)
    return changed[PICTURE], changed[LABELS]


SMALL = Task(
    pipeline="brain_mr",
    recipe="brain-mr-small",
    network=lambda: CompactUNet(inputs=SLABS, outputs=1),
    samples=samples,
    draw=draw,
    loss=mask_loss(1),
    head=("head",),
    epochs=20,
    batch=16,
)
