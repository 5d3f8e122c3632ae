"""What the segmenters of slices and photographs share in training: samples in 8 bits, and how chance changes them."""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.training.task import Random

FIRST_STAGES: Final = ("encoder.stem", "encoder.stages.0", "encoder.stages.1")
"""Of a LiteUNet: edges as a million pictures taught them, which a hundred of one's own would only spoil."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One picture in the network's square."""

    picture: NDArray[np.uint8]  # (size, size), or (size, size, 3)
    labels: NDArray[np.uint8]  # (size, size), 0 background


@dataclasses.dataclass(frozen=True, slots=True)
class Turns:
    """How far a picture may be turned, scaled, shifted and mirrored."""

    degrees: float
    scale: tuple[float, float]
    stretch: float = 0.0  # of the width against the height
    shift: float = 0.1  # of the size
    mirror: float = 0.0  # probability, left and right
    upside_down: float = 0.0  # probability


def turned(sample: Sample, turns: Turns, random: Random) -> Sample:
    """Return picture and labels after one random affine map; what comes from outside the picture is black."""
    size = sample.picture.shape[0]
    matrix = _matrix(size, turns, random)
    picture = cv2.warpAffine(sample.picture, matrix, (size, size), flags=cv2.INTER_LINEAR)
    labels = cv2.warpAffine(sample.labels, matrix, (size, size), flags=cv2.INTER_NEAREST)
    return Sample(np.asarray(picture, np.uint8), np.asarray(labels, np.uint8))


def _matrix(size: int, turns: Turns, random: Random) -> NDArray[np.float64]:
    turn = np.eye(3)
    turn[:2] = cv2.getRotationMatrix2D(
        (size / 2, size / 2), random.uniform(-turns.degrees, turns.degrees), random.uniform(*turns.scale)
    )
    stretch = 1 + random.uniform(-turns.stretch, turns.stretch)
    flips = [1 - 2 * (random.random() < chance) for chance in (turns.mirror, turns.upside_down)]
    centred = np.diag([stretch * flips[0], flips[1], 1.0])
    centred[:2, 2] = (size - 1) / 2 - centred[:2, :2] @ np.full(2, (size - 1) / 2)
    centred[:2, 2] += random.uniform(-turns.shift, turns.shift, 2) * size
    return np.asarray((centred @ turn)[:2], np.float64)


def scanned(picture: NDArray[np.uint8], random: Random) -> NDArray[np.float32]:
    """Give a grey slice another window, kernel and noise: 0 .. 1."""
    values = np.asarray(picture / np.float32(255), np.float32)
    kernel = random.uniform(-0.6, 1.2)  # below 0 sharpens, above smooths
    blurred = np.asarray(cv2.GaussianBlur(values, (0, 0), max(abs(kernel), 0.3)), np.float32)
    values = blurred if kernel > 0 else values + (values - blurred) * np.float32(random.uniform(0, 1.5))
    white = random.standard_normal(values.shape, np.float32)
    grain = np.asarray(cv2.GaussianBlur(white, (0, 0), random.uniform(0.3, 1.0)), np.float32)
    values = values + grain * np.float32(random.uniform(0, 0.08)) * (values > 0.01)
    gamma, gain = np.float32(np.exp(random.uniform(-0.25, 0.25))), np.float32(random.uniform(0.75, 1.3))
    shown = np.clip(values, 0, 1) ** gamma * gain + np.float32(random.uniform(-0.1, 0.1)) * (values > 0.01)
    return np.asarray(np.clip(shown, 0, 1), np.float32)


def lit(picture: NDArray[np.uint8], random: Random) -> NDArray[np.float32]:
    """Give a colour picture another light, white balance, sharpness and noise, and sometimes cover a part: 0 .. 1."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + random.uniform(-8, 8)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * random.uniform(0.6, 1.4), 0, 255)
    values = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float64) / 255
    values = values ** np.exp(random.uniform(-0.4, 0.4)) * random.uniform(0.7, 1.25, 3)
    if random.random() < 0.3:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), random.uniform(0.4, 1.8)), np.float64)
    if random.random() < 0.3:
        size = picture.shape[0]
        y, x = random.integers(0, size, 2)
        height, width = random.integers(size // 16, size // 4, 2)
        values[y : y + height, x : x + width] = random.uniform(0, 1, 3)
    values = values + random.normal(0, random.uniform(0, 0.03), values.shape)
    return np.asarray(np.clip(values, 0, 1), np.float32)


def planes(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring (h, w[, channels]), 0 .. 1, to what the networks take: (channels, h, w), -1 .. 1."""
    values = picture.reshape(*picture.shape[:2], -1).transpose(2, 0, 1)
    return np.ascontiguousarray(values * np.float32(2) - np.float32(1))
