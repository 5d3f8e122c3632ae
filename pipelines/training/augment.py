"""Chance, for pictures in a network's square: MONAI's transforms, seeded by the sample."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Final

import numpy as np
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import (
    RandAdjustContrastd,
    RandCoarseDropoutd,
    RandGaussianNoised,
    RandGaussianSmoothd,
)
from monai.transforms.spatial.dictionary import RandAffined, RandFlipd
from numpy.typing import NDArray

from pipelines.training.task import Random

PICTURE: Final = "picture"
LABELS: Final = "labels"
_BOTH: Final = (PICTURE, LABELS)
_SEEDS: Final = 2**32


@dataclasses.dataclass(frozen=True, slots=True)
class Chances:
    """How much a picture may change; chances are 0 to 1."""

    degrees: float = 14.0
    scale: float = 0.2  # up or down, as a share
    shift: float = 0.1  # of the square
    mirror: float = 0.5  # left and right
    upside_down: float = 0.0
    gamma: float = 0.6  # exponent, up or down by e to this
    noise: float = 0.04  # of the range
    holes: float = 0.3  # of covered rectangles, as a device or label would

    def __call__(self, picture: NDArray[np.float32], labels: NDArray[Any], random: Random) -> dict[str, NDArray[Any]]:
        """Return a (channels, h, w) picture and (h, w) labels, moved alike, the picture changed in look too."""
        chance = _composed(self, picture.shape[-1])
        chance.set_random_state(seed=int(random.integers(_SEEDS)))
        changed = chance({PICTURE: picture, LABELS: labels[None].astype(np.float32)})
        values = np.asarray(changed[PICTURE], np.float32)
        return {PICTURE: np.ascontiguousarray(values), LABELS: np.asarray(changed[LABELS][0]).astype(labels.dtype)}


@functools.cache
def _composed(chances: Chances, size: int) -> Any:
    """Return the transforms; a corner of the square stands for what lies outside it."""
    turn = np.radians(chances.degrees)
    shift = chances.shift * size
    return Compose(
        [
            RandFlipd(_BOTH, prob=chances.mirror, spatial_axis=1),
            RandFlipd(_BOTH, prob=chances.upside_down, spatial_axis=0),
            RandAffined(
                _BOTH,
                prob=1.0,
                rotate_range=turn,
                scale_range=(chances.scale, chances.scale),
                translate_range=(shift, shift),
                mode=("bilinear", "nearest"),
                padding_mode="border",
            ),
            RandAdjustContrastd(PICTURE, prob=1.0, gamma=(float(np.exp(-chances.gamma)), float(np.exp(chances.gamma)))),
            RandGaussianSmoothd(PICTURE, prob=0.3, sigma_x=(0.3, 1.5), sigma_y=(0.3, 1.5)),
            RandCoarseDropoutd(
                PICTURE, prob=chances.holes, holes=1, spatial_size=(size // 16,) * 2, max_spatial_size=(size // 4,) * 2
            ),
            RandGaussianNoised(PICTURE, prob=0.8, std=chances.noise * 2),
        ]
    )
