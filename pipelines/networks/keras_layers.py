"""Layers that behave as their Keras namesakes do, where PyTorch's own differ.

Every network that uses them states its layers in the order in which the published checkpoint files hold them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


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

    Unlike PyTorch's own, a map of a single voxel is allowed: it becomes the shift.
    """

    def __init__(self, channels: int, eps: float = 1e-3) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, ...) -> the same shape."""
        return torch.instance_norm(x, self.weight, self.bias, None, None, True, 0.0, self.eps, False)
