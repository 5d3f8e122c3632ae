"""The 3-D U-Nets of the MI2RLNet paper: liver and black-blood lesions (plain), kidney and tumour (with gates).

Sizes need not be multiples of anything: on the way up a map is padded by a voxel at the end of each axis, doubled,
normalised (the padding takes part in the statistics), and only then cropped to its skip. Every axis needs at least
two voxels for each halving.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.networks.keras_layers import InstanceNorm


class Activation(nn.Module):
    """ReLU, leaking `slope` below zero, in place."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return functional.leaky_relu_(x, self.slope)


class Normed(nn.Module):
    """3x3x3 convolution without bias and instance normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = InstanceNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, d, h, w) -> (n, outputs, d, h, w)."""
        return torch.as_tensor(self.norm(self.conv(x)))


class PlainLevel(nn.Module):
    """One or two convolutions with their activations."""

    def __init__(self, inputs: int, outputs: int, slope: float, convolutions: int) -> None:
        super().__init__()
        channels = [inputs, *[outputs] * convolutions]
        self.convs = nn.ModuleList(Normed(one, other) for one, other in pairwise(channels))
        self.act = Activation(slope)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, d, h, w) -> (n, outputs, d, h, w)."""
        for conv in self.convs:
            x = self.act(conv(x))
        return x


class GatedLevel(nn.Module):
    """Two convolutions, squeeze and excitation on the second, and a convolved shortcut."""

    def __init__(self, inputs: int, outputs: int, slope: float) -> None:
        super().__init__()
        self.first = Normed(inputs, outputs)
        self.second = Normed(outputs, outputs)
        self.squeeze = nn.Linear(outputs, outputs // 16)
        self.excite = nn.Linear(outputs // 16, outputs)
        self.shortcut = Normed(inputs, outputs)
        self.act = Activation(slope)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, d, h, w) -> (n, outputs, d, h, w)."""
        out = self.second(self.act(self.first(x)))
        gate = torch.sigmoid(self.excite(functional.relu(self.squeeze(out.mean((2, 3, 4))))))
        out.mul_(gate[:, :, None, None, None]).add_(self.shortcut(x))
        return torch.as_tensor(self.act(out))


class Step(nn.Module):
    """Pad the end by one, double each axis by a transposed convolution, normalise, activate, crop, join the skip."""

    def __init__(self, inputs: int, outputs: int, slope: float, merge: nn.Module) -> None:
        """Take the level that convolves the skip and the doubled map, 2 * outputs channels, together."""
        super().__init__()
        self.conv = nn.ConvTranspose3d(inputs, outputs, 2, 2, bias=False)
        self.norm = InstanceNorm(outputs)
        self.act = Activation(slope)
        self.merge = merge

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Bring x to the skip's depth, height and width."""
        x = self.act(self.norm(self.conv(functional.pad(x, (0, 1) * 3))))
        depth, height, width = skip.shape[2:]
        joined = torch.cat([skip, x[:, :, :depth, :height, :width]], 1)
        del x, skip  # a whole kidney box holds gigabytes
        return torch.as_tensor(self.merge(joined))


class InstanceNormUNet3d(nn.Module):
    """Base 32 channels, doubled at each of `depth` halvings; the first and the last level have one convolution.

    `gated` puts squeeze and excitation into every level between. One class answers by a sigmoid, more by a softmax.
    """

    def __init__(self, classes: int, depth: int, *, gated: bool = False, slope: float = 0.0) -> None:
        super().__init__()
        widths = [32 << level for level in range(depth + 1)]

        def level(inputs: int, outputs: int) -> nn.Module:
            return GatedLevel(inputs, outputs, slope) if gated else PlainLevel(inputs, outputs, slope, 2)

        self.first = PlainLevel(1, widths[0], slope, 1)
        self.down = nn.ModuleList(level(shallow, deep) for shallow, deep in pairwise(widths))
        self.up = nn.ModuleList()
        for shallow, deep in reversed(list(pairwise(widths))):
            last = shallow == widths[0]
            merge = PlainLevel(2 * shallow, shallow, slope, 1) if last else level(2 * shallow, shallow)
            self.up.append(Step(deep, shallow, slope, merge))
        self.head = nn.Conv3d(widths[0], classes, 1)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 1, d, h, w) -> the last features (n, 32, d, h, w) and the probabilities (n, classes, d, h, w)."""
        skips = [self.first(x)]
        for down in self.down:
            skips.append(down(functional.max_pool3d(skips[-1], 2)))
        x = skips.pop()
        for step in self.up:
            x = step(x, skips.pop())
        logits = self.head(x)
        return {"features": x, "out": torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, 1)}

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, d, h, w) -> probabilities (n, classes, d, h, w)."""
        return self.outputs(x)["out"]
