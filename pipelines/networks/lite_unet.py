"""A U-Net around EfficientNet-Lite0 (Tan and Le, arXiv 1905.11946; the Lite variant has neither gates nor Swish).

The encoder's tensors can come from a checkpoint that saw natural pictures: with a hundred images of one's own to learn
from, its edges and textures are worth more than any augmentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.networks.blocks import ConvBlock

_STEM: Final = 32
_STAGES: Final = (  # outputs, blocks, kernel, stride, expansion
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)
_SKIPS: Final = (0, 1, 2, 4, 6)  # the stages that end at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture
_CLASSIFIER: Final = ("_conv_head.", "_bn1.", "_fc.")  # what a published checkpoint holds beside the encoder


def _normed(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)]


class _Inverted(nn.Module):
    """Expand, convolve each channel by itself, project; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        expand = [*_normed(inputs, inner), nn.ReLU6(inplace=True)] if expansion > 1 else []
        depthwise = [*_normed(inner, inner, kernel, stride, inner), nn.ReLU6(inplace=True)]
        self.body = nn.Sequential(*expand, *depthwise, *_normed(inner, outputs))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride)."""
        out: Tensor = self.body(x)
        return out + x if self.shortcut else out


class LiteEncoder(nn.Module):
    """EfficientNet-Lite0 without its classifier."""

    widths: Final = tuple(_STAGES[stage][0] for stage in _SKIPS)

    def __init__(self, inputs: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_normed(inputs, _STEM, 3, 2), nn.ReLU6(inplace=True))
        self.stages = nn.ModuleList()
        before = _STEM
        for outputs, blocks, kernel, stride, expansion in _STAGES:
            shapes = [(before, stride), *[(outputs, 1)] * (blocks - 1)]
            self.stages.append(nn.Sequential(*(_Inverted(n, outputs, kernel, s, expansion) for n, s in shapes)))
            before = outputs

    def forward(self, x: Tensor) -> list[Tensor]:
        """(n, inputs, h, w) -> the maps at 1/2, 1/4, 1/8, 1/16 and 1/32."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return [maps[stage] for stage in _SKIPS]

    def start_from(self, published: Mapping[str, Tensor]) -> None:
        """Take the tensors of a published EfficientNet-Lite0 checkpoint of PyTorch, which lists them in this order.

        A network of one channel sees what the published one sees of a grey picture: its first weights are added up.
        Raises ValueError when a tensor is missing or has another shape.
        """
        theirs = [one for name, one in published.items() if not name.startswith(_CLASSIFIER)]
        own = self.state_dict()
        if theirs and self.stem[0].in_channels == 1:
            theirs[0] = theirs[0].sum(dim=1, keepdim=True)
        if [one.shape for one in theirs] != [one.shape for one in own.values()]:
            raise ValueError("this is no checkpoint of EfficientNet-Lite0 for three channels")
        self.load_state_dict(dict(zip(own, theirs, strict=True)))


class LiteUNet(nn.Module):
    """EfficientNet-Lite0 down, plain convolutions up to half resolution; the logits are interpolated to full.

    Height and width must be multiples of 32.
    """

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int] = (24, 40, 64, 96)) -> None:
        super().__init__()
        self.encoder = LiteEncoder(inputs)
        deep = (*widths, LiteEncoder.widths[-1])
        self.up = nn.ModuleList(
            nn.Sequential(ConvBlock(below + skip, own), ConvBlock(own, own))
            for (own, below), skip in zip(pairwise(deep), LiteEncoder.widths, strict=False)
        )
        self.head = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> logits (n, outputs, h, w)."""
        size = x.shape[-2:]
        *skips, x = self.encoder(x)
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = block(torch.cat([functional.interpolate(x, size=skip.shape[-2:]), skip], dim=1))
        return functional.interpolate(self.head(x), size=size, mode="bilinear")
