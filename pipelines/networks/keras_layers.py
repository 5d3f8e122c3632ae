"""Layers that behave as their Keras namesakes do, where PyTorch's own differ.

Every network that uses them states its layers in the order in which the published checkpoint files hold them.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Floats: TypeAlias = NDArray[np.float32]

_LANES = 4
_LEAST_FOR_LANES = 16  # voxels; fewer are summed one after another
_AT_ONCE = 1 << 14  # voxels of each lane, so that memory stays small


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's `same` padding: what a stride leaves uneven is padded at the end."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, size, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        return super().forward(_padded(x, self))


class SameDepthwiseConv2d(nn.Conv2d):
    """The same for each channel by itself, without bias."""

    def __init__(self, channels: int, size: int, stride: int = 1) -> None:
        super().__init__(channels, channels, size, stride, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, channels, ceil(h / stride), ceil(w / stride))."""
        return super().forward(_padded(x, self))


def _padded(x: Tensor, conv: nn.Conv2d) -> Tensor:
    top, bottom = _same(x.shape[-2], conv.kernel_size[0], conv.stride[0])
    left, right = _same(x.shape[-1], conv.kernel_size[1], conv.stride[1])
    return functional.pad(x, (left, right, top, bottom))


def _same(length: int, size: int, stride: int) -> tuple[int, int]:
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


class InstanceNorm(nn.Module):
    """Normalise each channel of each sample over all of space by its population variance, then scale and shift.

    Over millions of voxels TensorFlow's float32 statistics are off by up to a thousandth, and published weights were
    trained and judged with them. So they are summed here as there, not better: see `published_sum`.
    """

    def __init__(self, channels: int, eps: float = 1e-3) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, ...) -> the same shape; not differentiable."""
        every = torch.stack([torch.stack(self._factors(one)) for one in x.detach().flatten(2)])
        scale, shift = (one.reshape(*one.shape, *[1] * (x.ndim - 2)) for one in every.to(x.device).unbind(1))
        return x * scale + shift

    def _factors(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """(channels, voxels) -> what each channel is multiplied by, and what is added."""
        count = np.float32(values.shape[1])
        mean = published_sum(values) / count
        variance = published_sum(values, mean) / count
        scale = torch.rsqrt(torch.from_numpy(variance) + self.eps) * self.weight.cpu()
        return scale, self.bias.cpu() - torch.from_numpy(mean) * scale


def published_sum(values: Tensor, around: Floats | None = None) -> Floats:
    """Sum (channels, voxels) over voxels in float32, in the order of TensorFlow's CPU reduction (channels last).

    Four running sums, of every fourth voxel each, then the four one after another, then the voxels left over.

    Args:
        values: on any device.
        around: (channels,); the squared distances from it are summed instead.
    """
    channels, voxels = values.shape
    lanes = voxels // _LANES if voxels >= _LEAST_FOR_LANES else 0
    sums = np.zeros((_LANES, channels), np.float32)
    for first in range(0, lanes, _AT_ONCE):
        rows = _rows(values, first * _LANES, min(first + _AT_ONCE, lanes) * _LANES, around)
        sums = _added(sums, rows.reshape(-1, _LANES, channels))
    total = _added(sums[0], sums[1:])
    return _added(total, _rows(values, lanes * _LANES, voxels, around))


def _rows(values: Tensor, start: int, stop: int, around: Floats | None) -> Floats:
    rows = np.array(values[:, start:stop].cpu().numpy().T, order="C")  # a copy even of one voxel: it is changed below
    if around is not None:
        rows -= around
        rows *= rows
    return rows


def _added(start: Floats, rows: Floats) -> Floats:
    """Add rows to a sum one after another; along the first axis numpy does just that."""
    return np.asarray(np.add.reduce(np.concatenate([start[None], rows]), axis=0), np.float32)
