"""Recipe LRDet: EfficientNet-B0, two plain BiFPN layers, heads shared over the levels, boxes and their suppression."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import keras
from keras.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Multiply,
    Reshape,
    UpSampling2D,
)

from pipelines.published.keras.layers import Detections

_CHANNELS: Final = 64
_LEVELS: Final = (3, 4, 5, 6, 7)


class _Stage(NamedTuple):
    size: int  # of the kernel
    stride: int  # of the first block
    expansion: int
    outputs: int
    blocks: int


_STAGES: Final = (
    _Stage(3, 1, 1, 16, 1),
    _Stage(3, 2, 6, 24, 2),
    _Stage(5, 2, 6, 40, 2),
    _Stage(3, 2, 6, 80, 3),
    _Stage(5, 1, 6, 112, 3),
    _Stage(5, 2, 6, 192, 4),
    _Stage(3, 1, 6, 320, 1),
)
_TAPPED: Final = (3, 5, 7)  # stages whose last map the pyramid takes


def mark_detector() -> Any:
    """Return the model: (n, 512, 512, 3) -> head outputs, clipped boxes and detections by name."""
    inputs = keras.Input((512, 512, 3))
    stem = x = _normed(Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem_conv")(inputs), "stem", "swish")
    taps = []
    for number, stage in enumerate(_STAGES, 1):
        for letter in "abcd"[: stage.blocks]:
            x = _mobile(x, f"block{number}{letter}", stage, stage.stride if letter == "a" else 1)
        taps += [x] if number in _TAPPED else []
    maps = _pyramid(_pyramid(taps, "BiFPN_0"), "BiFPN_1")
    box, label = _head(4, "box_head"), _head(2, "class_head", "pyramid_classification", "sigmoid")
    regression, classification = (Concatenate(1)([head(one) for one in maps]) for head in (box, label))
    found = Detections(name="filtered_detections")(regression, classification)
    raw = {"stem_activation": stem, "regression": regression, "classification": classification}
    return keras.Model(inputs, {**raw, **found})


def _normed(x: Any, name: str, activation: str = "") -> Any:
    x = BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    return Activation(activation, name=f"{name}_activation")(x) if activation else x


def _mobile(x: Any, name: str, stage: _Stage, stride: int) -> Any:
    """Inverted bottleneck with squeeze and excitation, the squeeze a quarter of the block's inputs."""
    before, inputs = x, x.shape[-1]
    wide = inputs * stage.expansion
    if stage.expansion != 1:
        x = _normed(Conv2D(wide, 1, use_bias=False, name=f"{name}_expand_conv")(x), f"{name}_expand", "swish")
    x = DepthwiseConv2D(stage.size, stride, padding="same", use_bias=False, name=f"{name}_dwconv")(x)
    x = _normed(x, name, "swish")
    gate = Reshape((1, 1, wide))(GlobalAveragePooling2D()(x))
    gate = Conv2D(inputs // 4, 1, activation="swish", name=f"{name}_se_reduce")(gate)
    gate = Conv2D(wide, 1, activation="sigmoid", name=f"{name}_se_expand")(gate)
    x = Conv2D(stage.outputs, 1, use_bias=False, name=f"{name}_project_conv")(Multiply()([x, gate]))
    x = _normed(x, f"{name}_project")
    return Add()([x, before]) if stride == 1 and inputs == stage.outputs else x


def _pyramid(maps: list[Any], name: str) -> list[Any]:
    """Three or five maps, finest first -> the five maps P3 .. P7: down from P7 and up again."""
    flat = {level: _conv(x, f"{name}_P{level}", 1, 1) for level, x in zip(_LEVELS, maps, strict=False)}
    if len(maps) < len(_LEVELS):
        flat[6] = _conv(maps[-1], f"{name}_P6", 3, 2)
        flat[7] = _conv(flat[6], f"{name}_P7", 3, 2)
    top = {7: flat[7]}
    for level in (6, 5, 4, 3):
        top[level] = _node([UpSampling2D()(top[level + 1]), flat[level]], f"{name}_U_P{level}")
    found = [top[3]]
    for level in (4, 5, 6, 7):
        beside = [flat[level]] if level == 7 else [top[level], flat[level]]
        found.append(_node([MaxPooling2D()(found[-1]), *beside], f"{name}_D_P{level}"))
    return found


def _conv(x: Any, name: str, size: int, stride: int) -> Any:
    return _normed_relu(Conv2D(_CHANNELS, size, stride, padding="same", use_bias=False, name=f"{name}_conv")(x), name)


def _node(maps: list[Any], name: str) -> Any:
    return _normed_relu(DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_dconv")(Add()(maps)), name)


def _normed_relu(x: Any, name: str) -> Any:
    return Activation("relu")(_normed(x, name))


def _head(values: int, name: str, last: str | None = None, activation: str = "linear") -> Any:
    """Three 3x3 convolutions with ReLU and a last one: (n, h, w, 64) -> (n, cells * 9, values)."""
    x = inputs = keras.Input((None, None, _CHANNELS))
    for _ in range(3):
        x = Conv2D(_CHANNELS, 3, padding="same", activation="relu")(x)
    x = Reshape((-1, values))(Conv2D(9 * values, 3, padding="same", name=last)(x))
    return keras.Model(inputs, Activation(activation)(x), name=name)
