"""`python -m tests.support.keras_models FOLDER` writes small models as a site might bring them, good and bad."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.published.keras.layers import InstanceNormalization

STEEP, DARK = -12.0, -0.1  # what is darker than the mean becomes lung


def lungs() -> Any:
    """In the shapes of LungSeg: each pixel by itself."""
    inputs = keras.Input((1024, 1024, 1))
    layer = keras.layers.Conv2D(1, 1, activation="sigmoid")
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.full((1, 1, 1, 1), STEEP), np.full(1, STEEP * -DARK)])
    return model


def several() -> Any:
    """Two outputs by name, our own layer, and an operation."""
    inputs = keras.Input((None, None, 2), dtype="float32")
    normed = InstanceNormalization()(inputs)
    return keras.Model(inputs, {"out": normed + 1.0, "again": inputs})


def with_lambda(marker: Path) -> Any:
    """A layer of marshalled code that leaves a mark when it is run."""
    inputs = keras.Input((4,))
    target = str(marker)
    return keras.Model(inputs, keras.layers.Lambda(lambda x: (open(target, "w"), x)[1])(inputs))  # noqa: PTH123


def two_inputs() -> Any:
    one, other = keras.Input((3,)), keras.Input((3,))
    return keras.Model([one, other], keras.layers.Add()([one, other]))


def saved(folder: Path, function: Any, *shape: int | None) -> None:
    """A SavedModel of one function of arrays and what it has learnt."""
    module = tf.Module()
    module.threshold = tf.Variable(150.0)
    signature = [tf.TensorSpec(shape, tf.float32)]
    tf.saved_model.save(
        module, str(folder), signatures=tf.function(lambda x: function(x, module.threshold), input_signature=signature)
    )


def bright(x: Any, threshold: Any) -> dict[str, Any]:
    """Where it exceeds what was learnt."""
    return {"bright": tf.cast(x > threshold, tf.float32)}


def endless(x: Any, _threshold: Any) -> dict[str, Any]:
    """Busy for hours."""
    steps, zero = tf.constant(10**12, tf.int64), tf.constant(0, tf.int64)
    return {"out": tf.while_loop(lambda step, _: step < steps, lambda step, y: (step + 1, y + 1.0), (zero, x))[1]}


def python(x: Any, _threshold: Any) -> dict[str, Any]:
    """Calls back into Python."""
    return {"out": tf.py_function(lambda value: value, [x], tf.float32)}


def main(folder: Path) -> None:
    for name, model in {"lungs": lungs(), "several": several(), "two_inputs": two_inputs()}.items():
        model.save(folder / f"{name}.keras")
    with_lambda(folder / "marker").save(folder / "lambda.keras")
    (folder / "marker").unlink(missing_ok=True)  # building the model ran it
    saved(folder / "bright", bright, None, None, None, None)
    saved(folder / "endless", endless, None, 1024, 1024, 1)
    saved(folder / "python", python, None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
