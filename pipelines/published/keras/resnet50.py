"""Recipes EnhanceCls and ViewCls: Keras' own ResNet-50, its 1000-way softmax kept, and a second softmax on it."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import keras
from keras.layers import Dense


@dataclasses.dataclass(frozen=True, slots=True)
class DoubleSoftmaxResNet50:
    """`channels` in, `classes` out."""

    channels: int
    classes: int

    def __call__(self) -> Any:
        """Return the model: (n, h, w, channels) -> probabilities (n, classes)."""
        with warnings.catch_warnings(action="ignore"):  # that it usually takes colour pictures
            body = keras.applications.ResNet50(
                include_top=False, weights=None, pooling="avg", input_shape=(None, None, self.channels)
            )
        predictions = Dense(1000, activation="softmax", name="predictions")(body.output)
        out = Dense(self.classes, activation="softmax", name="final_layer")(predictions)
        stem = body.get_layer("conv1_relu").output
        outputs = {"conv1_relu": stem, "avg_pool": body.output, "predictions": predictions, "out": out}
        return keras.Model(body.input, outputs)
