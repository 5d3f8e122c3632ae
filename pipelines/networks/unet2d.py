"""The 2-D U-Nets of the MI2RLNet paper: lungs (Keras), brain and polyps (PyTorch).

The modules of the PyTorch ones bear the names that their published checkpoints use.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class LungUNet(nn.Module):
    """A U-Net without normalisation; nearest-neighbour upsampling, two convolutions, skip, one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        channels = 1
        for width in (32, 64, 64, 128):
            self.down.append(_twice(channels, width))
            channels = width
        self.bottom = _conv(channels, 256)
        self.up = nn.ModuleList()
        channels = 256
        for width, skip in ((256, 128), (256, 64), (128, 64), (64, 32)):
            self.up.append(LungStep(channels, width, skip))
            channels = width
        self.head = _conv(channels, 1)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 1, h, w) -> the last features (n, 64, h, w) and the probabilities (n, 1, h, w); multiples of 16."""
        skips = []
        for block in self.down:
            skips.append(block(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = functional.relu_(self.bottom(x))
        for step in self.up:
            x = step(x, skips.pop())
        return {"features": x, "out": torch.sigmoid(self.head(x))}

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, h, w) -> lung probabilities (n, 1, h, w)."""
        return self.outputs(x)["out"]


class LungStep(nn.Module):
    """Double by nearest neighbour, convolve twice, join the skip, convolve once."""

    def __init__(self, inputs: int, outputs: int, skip: int) -> None:
        super().__init__()
        self.doubled = _twice(inputs, outputs)
        self.merge = _conv(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Bring x to the skip's height and width."""
        x = self.doubled(functional.interpolate(x, scale_factor=2.0))
        return functional.relu_(self.merge(torch.cat([skip, x], 1)))


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs), nn.ReLU(inplace=True), _conv(outputs, outputs), nn.ReLU(inplace=True))


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _normed(inputs: int, outputs: int) -> list[nn.Module]:
    return [_conv(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class DoubleConv(nn.Module):
    """(3x3 convolution, batch normalisation, ReLU) twice."""

    def __init__(self, inputs: int, outputs: int, between: int = 0) -> None:
        super().__init__()
        between = between or outputs
        self.double_conv = nn.Sequential(*_normed(inputs, between), *_normed(between, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w)."""
        return torch.as_tensor(self.double_conv(x))


class Down(nn.Module):
    """Halve, then convolve twice."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h // 2, w // 2)."""
        return torch.as_tensor(self.maxpool_conv(x))


class Up(nn.Module):
    """Double bilinearly, corners aligned; zero-pad to the skip's size; convolve both together."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = DoubleConv(inputs, outputs, inputs // 2)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Bring x to the skip's height and width."""
        x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
        rows, columns = skip.shape[-2] - x.shape[-2], skip.shape[-1] - x.shape[-1]
        x = functional.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return torch.as_tensor(self.conv(torch.cat([skip, x], 1)))


class OutConv(nn.Module):
    """One 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> logits (n, outputs, h, w)."""
        return torch.as_tensor(self.conv(x))


class BrainUNet(nn.Module):
    """The widely used bilinear U-Net of 64 to 512 channels, any height and width from 16."""

    def __init__(self) -> None:
        super().__init__()
        self.In = DoubleConv(1, 64)
        self.down1, self.down2 = Down(64, 128), Down(128, 256)
        self.down3, self.down4 = Down(256, 512), Down(512, 512)
        self.up1, self.up2 = Up(1024, 256), Up(512, 128)
        self.up3, self.up4 = Up(256, 64), Up(128, 64)
        self.Out = OutConv(64, 1)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 1, h, w) -> logits, by the name that says that normalisation used its stored statistics."""
        skips = [self.In(x)]
        for down in (self.down1, self.down2, self.down3, self.down4):
            skips.append(down(skips[-1]))
        x = skips.pop()
        for up in (self.up1, self.up2, self.up3, self.up4):
            x = up(x, skips.pop())
        return {"eval": self.Out(x)}

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, h, w) -> logits (n, 1, h, w)."""
        return self.outputs(x)["eval"]


class PolypUNet(nn.Module):
    """A U-Net of 64 to 1024 channels with transposed convolutions; height and width are multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder1 = nn.Sequential(_block(3, 64), _block(64, 64))
        self.encoder2 = _halved(64, 128, 128)
        self.encoder3 = _halved(128, 256, 256)
        self.encoder4 = _halved(256, 512, 512)
        self.bridge = _halved(512, 1024, 512)
        self.upconv = nn.ConvTranspose2d(512, 512, 2, 2)
        self.decoder4 = nn.Sequential(_block(1024, 512), _block(512, 256), nn.ConvTranspose2d(256, 256, 2, 2))
        self.decoder3 = nn.Sequential(_block(512, 256), _block(256, 128), nn.ConvTranspose2d(128, 128, 2, 2))
        self.decoder2 = nn.Sequential(_block(256, 128), _block(128, 64), nn.ConvTranspose2d(64, 64, 2, 2))
        self.decoder1 = nn.Sequential(_block(128, 64), _block(64, 64))
        self.fc = nn.Conv2d(64, 1, 1)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """(n, 3, h, w) -> logits, by the name that says that normalisation used its stored statistics."""
        skips = []
        for encoder in (self.encoder1, self.encoder2, self.encoder3, self.encoder4):
            x = encoder(x)
            skips.append(x)
        x = self.upconv(self.bridge(x))
        for decoder in (self.decoder4, self.decoder3, self.decoder2, self.decoder1):
            x = decoder(torch.cat([x, skips.pop()], 1))
        return {"eval": self.fc(x)}

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> logits (n, 1, h, w)."""
        return self.outputs(x)["eval"]


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_normed(inputs, outputs))


def _halved(inputs: int, between: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.MaxPool2d(2), _block(inputs, between), _block(between, outputs))
