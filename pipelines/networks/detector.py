"""A small centre-point detector for marks a few letters large."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.networks.blocks import ConvBlock, ResidualBlock


class CentreDetector(nn.Module):
    """Per class a heat map of box centres at a quarter of the resolution, and at each place the box around it.

    Output channels: one logit per class, then the distances from the cell's middle to the box's left, top, right and
    bottom edge, as logarithms of cells. Height and width must be multiples of 16.
    """

    stride: ClassVar[int] = 4

    def __init__(self, inputs: int, classes: int, widths: tuple[int, int, int, int] = (32, 64, 128, 192)) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvBlock(inputs, widths[0], stride=2), ConvBlock(widths[0], widths[1], stride=2))
        self.quarter = ResidualBlock(widths[1], widths[1])
        self.eighth = nn.Sequential(ResidualBlock(widths[1], widths[2], stride=2), ResidualBlock(widths[2], widths[2]))
        self.sixteenth = nn.Sequential(
            ResidualBlock(widths[2], widths[3], stride=2), ResidualBlock(widths[3], widths[3])
        )
        self.merge_eighth = ConvBlock(widths[3] + widths[2], widths[2])
        self.merge_quarter = ConvBlock(widths[2] + widths[1], widths[1])
        last = nn.Conv2d(widths[2], classes + 4, 1)
        last.bias = nn.Parameter(torch.tensor([-4.0] * classes + [0.0] * 4))  # marks are rare: begin with "none"
        self.head = nn.Sequential(ConvBlock(widths[1], widths[2]), last)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, classes + 4, h / 4, w / 4)."""
        quarter = self.quarter(self.stem(x))
        eighth = self.eighth(quarter)
        deep = functional.interpolate(self.sixteenth(eighth), scale_factor=2.0)
        deep = self.merge_eighth(torch.cat([deep, eighth], dim=1))
        deep = functional.interpolate(deep, scale_factor=2.0)
        out: Tensor = self.head(self.merge_quarter(torch.cat([deep, quarter], dim=1)))
        return out
