"""Recipes LiverSeg, BBBSeg and KidneyTumorSeg: 3-D U-Nets with instance normalisation."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras.layers import (
    Add,
    Concatenate,
    Conv3D,
    Conv3DTranspose,
    Dense,
    GlobalAveragePooling3D,
    LeakyReLU,
    MaxPooling3D,
    Multiply,
    ReLU,
    Reshape,
    ZeroPadding3D,
)

from pipelines.published.keras.layers import CropTo, InstanceNormalization


@dataclasses.dataclass(frozen=True, slots=True)
class UNet3d:
    """Base 32 channels, doubled at each of `depth` halvings; the first and the last level have one convolution."""

    classes: int  # one answers by a sigmoid, more by a softmax
    depth: int
    gated: bool = False  # squeeze and excitation in every level between
    slope: float = 0.0  # of the activation below zero

    def __call__(self) -> Any:
        """Return the model: (n, d, h, w, 1) -> probabilities (n, d, h, w, classes)."""
        inputs = keras.Input((None, None, None, 1))
        widths = [32 << level for level in range(self.depth + 1)]
        skips = [self._plain(inputs, widths[0])]
        for width in widths[1:]:
            skips.append(self._level(MaxPooling3D()(skips[-1]), width))
        x = skips.pop()
        for width in reversed(widths[:-1]):
            x = self._doubled(x, skips[-1], width)
            joined = Concatenate()([skips.pop(), x])
            x = self._plain(joined, width) if width == widths[0] else self._level(joined, width)
        last = "sigmoid" if self.classes == 1 else "softmax"
        return keras.Model(inputs, {"features": x, "out": Conv3D(self.classes, 1, activation=last)(x)})

    def _act(self, x: Any) -> Any:
        return LeakyReLU(self.slope)(x) if self.slope else ReLU()(x)

    def _plain(self, x: Any, width: int) -> Any:
        return self._act(_normed(x, width))

    def _level(self, x: Any, width: int) -> Any:
        if not self.gated:
            return self._plain(self._plain(x, width), width)
        out = _normed(self._plain(x, width), width)
        gate = Dense(width // 16, activation="relu")(GlobalAveragePooling3D()(out))
        gate = Reshape((1, 1, 1, width))(Dense(width, activation="sigmoid")(gate))
        return self._act(Add()([Multiply()([out, gate]), _normed(x, width)]))

    def _doubled(self, x: Any, skip: Any, width: int) -> Any:
        """Pad the end by one, double, normalise, activate, and only then crop."""
        x = ZeroPadding3D(((0, 1), (0, 1), (0, 1)))(x)
        x = InstanceNormalization()(Conv3DTranspose(width, 2, 2, use_bias=False)(x))
        return CropTo()(self._act(x), skip)


def _normed(x: Any, width: int) -> Any:
    return InstanceNormalization()(Conv3D(width, 3, padding="same", use_bias=False)(x))
