"""The L/R marker detector of the MI2RLNet paper: EfficientNet-B0, two plain BiFPN layers, shared heads.

It departs from EfficientDet-D0 (Tan et al. 2020): sums are unweighted, a node is a depthwise convolution without a
pointwise one, P6 and P7 are strided 3x3 convolutions, and top-down sums feed P4 to P6 together with the projected
inputs. Modules are named by their Keras layers: `BiFPN_0.P6_conv` is the layer `BiFPN_0_P6_conv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.networks.boxes import clipped, decoded, detections
from pipelines.networks.keras_layers import SameConv2d, SameDepthwiseConv2d

_EPS = 1e-3
_CHANNELS: Final = 64
_LEVELS: Final = (3, 4, 5, 6, 7)
_STAGES: Final = (  # kernel, stride, expansion, outputs, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_TAPS: Final = {"block3b": 3, "block5c": 4, "block7a": 5}  # block -> pyramid level, at strides 8, 16, 32


class MobileBlock(nn.ModuleDict):
    """Inverted bottleneck with squeeze and excitation; the squeeze is a quarter of the block's inputs."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        if expansion != 1:
            self["expand_conv"] = SameConv2d(inputs, wide, 1, bias=False)
            self["expand_bn"] = nn.BatchNorm2d(wide, _EPS)
        self["dwconv"] = SameDepthwiseConv2d(wide, size, stride)
        self["bn"] = nn.BatchNorm2d(wide, _EPS)
        self["se_reduce"] = SameConv2d(wide, inputs // 4, 1)
        self["se_expand"] = SameConv2d(inputs // 4, wide, 1)
        self["project_conv"] = SameConv2d(wide, outputs, 1, bias=False)
        self["project_bn"] = nn.BatchNorm2d(outputs, _EPS)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride)."""
        out = x
        if "expand_conv" in self:
            out = functional.silu(self["expand_bn"](self["expand_conv"](out)))
        out = functional.silu(self["bn"](self["dwconv"](out)))
        squeezed = functional.silu(self["se_reduce"](out.mean((2, 3), keepdim=True)))
        out = out * torch.sigmoid(self["se_expand"](squeezed))
        out = torch.as_tensor(self["project_bn"](self["project_conv"](out)))
        return out + x if self.residual else out


class BiFPN(nn.ModuleDict):
    """One layer of the pyramid: top-down (U) from P7 to P3, then bottom-up (D) from P3 to P7."""

    def __init__(self, inputs: Sequence[int]) -> None:
        """Take the channels of the maps that come in: three from the backbone, or all five."""
        super().__init__()
        for level, channels in zip(_LEVELS, inputs, strict=False):
            self._add(f"P{level}_conv", SameConv2d(channels, _CHANNELS, 1, bias=False))
        if len(inputs) < len(_LEVELS):
            self._add("P6_conv", SameConv2d(inputs[-1], _CHANNELS, 3, 2, bias=False))
            self._add("P7_conv", SameConv2d(_CHANNELS, _CHANNELS, 3, 2, bias=False))
        for node in ("U_P6", "U_P5", "U_P4", "U_P3", "D_P4", "D_P5", "D_P6", "D_P7"):
            self._add(f"{node}_dconv", SameDepthwiseConv2d(_CHANNELS, 3))

    def _add(self, name: str, conv: nn.Conv2d) -> None:
        self[name] = conv
        self[name.rsplit("_", 1)[0] + "_bn"] = nn.BatchNorm2d(_CHANNELS, _EPS)

    def _run(self, name: str, x: Tensor) -> Tensor:
        return functional.relu(self[name.rsplit("_", 1)[0] + "_bn"](self[name](x)))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Bring three or five maps, finest first, to the five maps P3 .. P7 of 64 channels."""
        projected = {level: self._run(f"P{level}_conv", x) for level, x in zip(_LEVELS, maps, strict=False)}
        if len(maps) < len(_LEVELS):
            projected[6] = self._run("P6_conv", maps[-1])
            projected[7] = self._run("P7_conv", projected[6])
        up = {7: projected[7]}
        for level in (6, 5, 4, 3):
            coarser = functional.interpolate(up[level + 1], scale_factor=2.0)
            up[level] = self._run(f"U_P{level}_dconv", coarser + projected[level])
        down = {3: up[3]}
        for level in (4, 5, 6, 7):
            total = functional.max_pool2d(down[level - 1], 2) + projected[level]
            down[level] = self._run(f"D_P{level}_dconv", total if level == 7 else total + up[level])
        return [down[level] for level in _LEVELS]


class Head(nn.ModuleList):
    """Three 3x3 convolutions with ReLU and a last one; each cell's anchors follow each other."""

    def __init__(self, values: int, anchors: int = 9) -> None:
        """Give `values` numbers for each anchor."""
        super().__init__([SameConv2d(_CHANNELS, _CHANNELS, 3) for _ in range(3)])
        self.append(SameConv2d(_CHANNELS, anchors * values, 3))
        self.values_each = values

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Five maps (n, 64, h, w) -> (n, all anchors, values), cells row by row, P3 first."""
        return torch.cat([self._one(x) for x in maps], 1)

    def _one(self, x: Tensor) -> Tensor:
        *before, last = self
        for conv in before:
            x = functional.relu(conv(x))
        cells: Tensor = last(x).permute(0, 2, 3, 1)  # (n, h, w, anchors * values)
        return cells.reshape(len(x), -1, self.values_each)


class MarkDetector(nn.Module):
    """Boxes, scores and labels of the L and R marks in a square of 512 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.ModuleDict({"conv": SameConv2d(3, 32, 3, 2, bias=False), "bn": nn.BatchNorm2d(32, _EPS)})
        self.blocks: list[str] = []
        channels, taps = 32, []
        for stage, (size, stride, expansion, outputs, count) in enumerate(_STAGES, 1):
            for number in range(count):
                name = f"block{stage}{'abcd'[number]}"
                self.add_module(name, MobileBlock(channels, outputs, size, 1 if number else stride, expansion))
                self.blocks.append(name)
                channels = outputs
                taps += [outputs] if name in _TAPS else []
        self.BiFPN_0 = BiFPN(taps)
        self.BiFPN_1 = BiFPN([_CHANNELS] * 5)
        self.box_head = Head(4)
        self.class_head = Head(2)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 3, 512, 512) -> raw head outputs (n, 49104, .), clipped boxes, and the 300 detections of each image."""
        x = stem = functional.silu(self.stem["bn"](self.stem["conv"](x)))
        taps = []
        for name in self.blocks:
            x = self.get_submodule(name)(x)
            taps += [x] if name in _TAPS else []
        maps = self.BiFPN_1(self.BiFPN_0(taps))
        regression, classification = self.box_head(maps), torch.sigmoid(self.class_head(maps))
        boxes = clipped(decoded(regression), 512)
        found = detections(boxes, classification)
        return {
            "stem_activation": stem,
            "regression": regression,
            "classification": classification,
            "clipped_boxes": boxes,
            **{f"det_{name}": values for name, values in found.items()},
        }

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, 3, 512, 512) -> boxes (n, 300, 4), scores (n, 300), labels (n, 300); -1 past the last detection."""
        found = self.outputs(x)
        return found["det_boxes"], found["det_scores"], found["det_labels"]
