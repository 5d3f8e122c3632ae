"""A U-Net small enough for a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.networks.blocks import ConvBlock, ResidualBlock


class CompactUNet(nn.Module):
    """Encoder and decoder that work from half resolution down; the logits are interpolated back to full.

    Height and width must be multiples of 2 ** len(widths).
    """

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int] = (16, 32, 64, 128, 160)) -> None:
        super().__init__()
        self.stem = ConvBlock(inputs, widths[0], stride=2)
        self.down = nn.ModuleList([ResidualBlock(widths[0], widths[0])])
        self.down.extend(ResidualBlock(shallow, deep, stride=2) for shallow, deep in pairwise(widths))
        self.up = nn.ModuleList(
            nn.Sequential(ConvBlock(deep + shallow, shallow), ConvBlock(shallow, shallow))
            for shallow, deep in pairwise(widths)
        )
        self.head = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> logits (n, outputs, h, w)."""
        size = x.shape[-2:]
        x = self.stem(x)
        skips: list[Tensor] = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        x = skips.pop()
        for block in reversed(self.up):
            skip = skips.pop()
            x = block(torch.cat([functional.interpolate(x, size=skip.shape[-2:]), skip], dim=1))
        return functional.interpolate(self.head(x), size=size, mode="bilinear")
