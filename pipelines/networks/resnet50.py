"""ResNet-50 version 1 as Keras has it, its 1000-way softmax kept, and a second softmax on those probabilities.

The two classifiers of the MI2RLNet paper (contrast enhancement of CT, view of a chest radiograph) are built so.
Modules are named by their Keras layers: `conv2_block1.1_conv` is the layer `conv2_block1_1_conv`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPS = 1.001e-5


def _conv(inputs: int, outputs: int, size: int = 1, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, padding)


class Bottleneck(nn.ModuleDict):
    """1x1 (with the stride), 3x3 and 1x1 convolution around a shortcut; the layers stand in Keras' file order."""

    def __init__(self, inputs: int, width: int, stride: int, *, projected: bool) -> None:
        super().__init__()
        self["1_conv"], self["1_bn"] = _conv(inputs, width, stride=stride), nn.BatchNorm2d(width, _EPS)
        self["2_conv"], self["2_bn"] = _conv(width, width, 3, padding=1), nn.BatchNorm2d(width, _EPS)
        if projected:
            self["0_conv"] = _conv(inputs, 4 * width, stride=stride)
        self["3_conv"] = _conv(width, 4 * width)
        if projected:
            self["0_bn"] = nn.BatchNorm2d(4 * width, _EPS)
        self["3_bn"] = nn.BatchNorm2d(4 * width, _EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, 4 * width, h / stride, w / stride)."""
        shortcut = self["0_bn"](self["0_conv"](x)) if "0_conv" in self else x
        for name in ("1", "2"):
            x = functional.relu(self[f"{name}_bn"](self[f"{name}_conv"](x)))
        return functional.relu(self["3_bn"](self["3_conv"](x)) + shortcut)


class DoubleSoftmaxResNet50(nn.Module):
    """ResNet-50 whose 1000 class probabilities are the features of a small dense layer."""

    depths: ClassVar[tuple[int, int, int, int]] = (3, 4, 6, 3)

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.conv1_conv = _conv(inputs, 64, 7, stride=2, padding=3)
        self.conv1_bn = nn.BatchNorm2d(64, _EPS)
        self.blocks: list[str] = []
        channels = 64
        for stage, depth in enumerate(self.depths):
            width = 64 << stage
            for number in range(depth):
                stride = 2 if stage and not number else 1
                self.blocks.append(f"conv{stage + 2}_block{number + 1}")
                block = Bottleneck(channels, width, stride, projected=number == 0)
                self.add_module(self.blocks[-1], block)
                channels = 4 * width
        self.predictions = nn.Linear(channels, 1000)
        self.final_layer = nn.Linear(1000, classes)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """(n, inputs, h, w) -> the stem's map, the pooled features (n, 2048), both softmaxes; `out` is (n, classes)."""
        stem = functional.relu(self.conv1_bn(self.conv1_conv(x)))
        x = functional.max_pool2d(functional.pad(stem, (1, 1, 1, 1)), 3, 2)
        for name in self.blocks:
            x = self.get_submodule(name)(x)
        pooled = x.mean((2, 3))
        predictions = torch.softmax(self.predictions(pooled), 1)
        out = torch.softmax(self.final_layer(predictions), 1)
        return {"conv1_relu": stem, "avg_pool": pooled, "predictions": predictions, "out": out}

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> class probabilities (n, classes)."""
        return self.outputs(x)["out"]
