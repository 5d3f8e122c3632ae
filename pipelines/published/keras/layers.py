"""The layers that the published networks have and Keras has not."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from pipelines.networks.anchors import DELTA_STD, IOU_ABOVE, MOST, SCORE_ABOVE, anchors

_PACKAGE = "dicom_node"


@keras.saving.register_keras_serializable(package=_PACKAGE)
class InstanceNormalization(keras.layers.Layer):
    """Normalise each channel of each sample over all of space by its population variance, then scale and shift."""

    def __init__(self, epsilon: float = 1e-3, **options: Any) -> None:
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make one scale and one shift per channel, channels last."""
        self.gamma = self.add_weight(name="gamma", shape=input_shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=input_shape[-1:], initializer="zeros")

    def call(self, x: Any) -> Any:
        """(n, ..., channels) -> the same shape."""
        mean, variance = tf.nn.moments(x, list(range(1, len(x.shape) - 1)), keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, self.beta, self.gamma, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class CropTo(keras.layers.Layer):
    """Cut the end of each axis of space down to another map's size."""

    def call(self, x: Any, like: Any) -> Any:
        """(n, d, h, w, channels) and (n, D, H, W, .) -> (n, D, H, W, channels)."""
        depth, height, width = tf.unstack(tf.shape(like)[1:4])
        return x[:, :depth, :height, :width]


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Detections(keras.layers.Layer):
    """Boxes from the heads' outputs, and of each image the 300 best that no better one of their class overlaps."""

    def call(self, regression: Any, classification: Any) -> dict[str, Any]:
        """(n, anchors, 4) and (n, anchors, classes) -> clipped boxes and detections, -1 past the last."""
        corners = tf.constant(anchors())
        size = tf.tile(corners[:, 2:] - corners[:, :2], (1, 2))
        boxes = tf.clip_by_value(corners + regression * DELTA_STD * size, 0.0, 511.0)
        kinds = (tf.float32, tf.float32, tf.float32)
        found = tf.map_fn(lambda one: _best(*one), (boxes, classification), fn_output_signature=kinds)
        names = ("det_boxes", "det_scores", "det_labels")
        return {"clipped_boxes": boxes, **dict(zip(names, found, strict=True))}


def _best(boxes: Any, scores: Any) -> tuple[Any, Any, Any]:
    """(anchors, 4) and (anchors, classes) -> boxes (300, 4), scores (300,) descending, labels (300,)."""
    kept = [_suppressed(boxes, scores[:, label]) for label in range(scores.shape[1])]
    labels = tf.concat([tf.fill(tf.shape(one), float(label)) for label, one in enumerate(kept)], 0)
    boxes = tf.gather(boxes, tf.concat(kept, 0))
    values = tf.concat([tf.gather(scores[:, label], one) for label, one in enumerate(kept)], 0)
    order = tf.argsort(values, direction="DESCENDING", stable=True)[:MOST]
    rest = MOST - tf.size(order)
    found = [(tf.gather(one, order), [[0, rest], *[[0, 0]] * (len(one.shape) - 1)]) for one in (boxes, values, labels)]
    return tuple(tf.pad(one, padding, constant_values=-1.0) for one, padding in found)


def _suppressed(boxes: Any, scores: Any) -> Any:
    return tf.image.non_max_suppression(boxes, scores, MOST, iou_threshold=IOU_ABOVE, score_threshold=SCORE_ABOVE)
