"""A small residual classifier."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from pipelines.networks.blocks import ConvBlock, ResidualBlock


class CompactClassifier(nn.Module):
    """Residual stages over a strided stem; the mean and the maximum of the last map decide."""

    def __init__(
        self, inputs: int, classes: int, widths: Sequence[int] = (16, 32, 48, 64), dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.stem = ConvBlock(inputs, widths[0], stride=2)
        self.stages = nn.Sequential(*(ResidualBlock(shallow, deep, stride=2) for shallow, deep in pairwise(widths)))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * widths[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> logits (n, classes)."""
        features = self.stages(self.stem(x))
        logits: Tensor = self.head(torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1))
        return logits
