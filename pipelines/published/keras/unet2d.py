"""Recipe LungSeg: a 2-D U-Net without normalisation."""

from __future__ import annotations

from typing import Any

import keras
from keras.layers import Concatenate, Conv2D, MaxPooling2D, UpSampling2D


def lung_unet() -> Any:
    """Return the model: (n, h, w, 1), multiples of 16 -> probabilities (n, h, w, 1)."""
    x = inputs = keras.Input((None, None, 1))
    skips = []
    for width in (32, 64, 64, 128):
        skips.append(_conv(_conv(x, width), width))
        x = MaxPooling2D()(skips[-1])
    x = _conv(x, 256)
    for width in (256, 256, 128, 64):
        x = _conv(_conv(UpSampling2D()(x), width), width)
        x = _conv(Concatenate()([skips.pop(), x]), width)
    out = Conv2D(1, 3, padding="same", activation="sigmoid")(x)
    return keras.Model(inputs, {"features": x, "out": out})


def _conv(x: Any, width: int) -> Any:
    return Conv2D(width, 3, padding="same", activation="relu")(x)
