"""What is made small: MONAI's losses, on logits or on the probabilities that some published networks end in."""

from __future__ import annotations

from typing import Final

import torch
from monai.losses.dice import MaskedDiceLoss
from torch import Tensor, nn
from torch.nn import functional

from pipelines.training.loop import Batch, Loss

UNKNOWN: Final = 127  # in labels: no part of the loss
_SMOOTHING: Final = 0.03  # of a class's certainty: small sets of images cannot justify more
_LEAST: Final = 1e-6
_SMOOTH: Final = 1e-5
_SLIVER: Final = 1.0  # pixels: of a picture without the part, Dice must fall smoothly to nothing found


def mask_loss(parts: int, *, probabilities: bool = False, half: bool = True, each: bool = False) -> Loss:
    """Dice plus cross-entropy of each part against all else: pictures (n, c, h, w), labels (n, h, w) 0 .. parts.

    Args:
        parts: outputs of the network.
        probabilities: whether it ends in a logistic function.
        half: whether it runs in bfloat16 where the processor has it.
        each: whether Dice is of each picture by itself, so that a sliver of an organ counts as much as all of it; else
            of the batch.
    """
    smooth = _SLIVER if each else _SMOOTH
    overlap = MaskedDiceLoss(
        sigmoid=not probabilities,
        batch=not each,
        smooth_nr=smooth,
        smooth_dr=smooth,
    )

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        pictures, labels = batch
        found = answer(network, pictures, half=half)
        known = (labels != UNKNOWN)[:, None].float()
        target = torch.stack([labels == part for part in range(1, parts + 1)], dim=1).float()
        weight = known.expand_as(target)
        if probabilities:
            entropy = functional.binary_cross_entropy(found.clamp(_LEAST, 1 - _LEAST), target, weight)
        else:
            entropy = functional.binary_cross_entropy_with_logits(found, target, weight)
        dice: Tensor = overlap(found, target, known)
        return entropy + dice

    return loss


def class_loss(network: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy with a little smoothing: pictures (n, c, h, w), class numbers (n,); one output is a yes or no."""
    pictures, answers = batch
    logits = answer(network, pictures)
    if logits.shape[1] == 1:
        target = answers.float() * (1 - 2 * _SMOOTHING) + _SMOOTHING
        return functional.binary_cross_entropy_with_logits(logits[:, 0], target)
    return functional.cross_entropy(logits, answers.long(), label_smoothing=_SMOOTHING)


def probability_loss(network: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of a network that ends in a softmax."""
    pictures, answers = batch
    return functional.nll_loss(answer(network, pictures, half=False).clamp(min=_LEAST).log(), answers.long())


def answer(network: nn.Module, pictures: Tensor, *, half: bool = True) -> Tensor:
    """Return the network's answer in single precision; `half` is bfloat16 where the processor has it."""
    device = pictures.device.type
    with torch.autocast(device, torch.bfloat16, enabled=half and (device != "cpu" or _processor_has_bfloat16())):
        found: Tensor = network(pictures.contiguous(memory_format=torch.channels_last))
    return found.float()


def _processor_has_bfloat16() -> bool:
    """Whether it multiplies in bfloat16 itself: imitated, a convolution takes forty times as long as in float32."""
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
