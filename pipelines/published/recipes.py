"""Which network each published recipe is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import torch
from torch import nn

from pipelines.networks.efficientdet import MarkDetector
from pipelines.networks.resnet50 import DoubleSoftmaxResNet50
from pipelines.networks.unet2d import BrainUNet, LungUNet, PolypUNet
from pipelines.networks.unet3d import InstanceNormUNet3d

_LEAK = 0.3


def _kidney(classes: int, depth: int) -> Callable[[], nn.Module]:
    return partial(InstanceNormUNet3d, classes, depth, gated=True, slope=_LEAK)


NETWORKS: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "EnhanceCls": partial(DoubleSoftmaxResNet50, 2, 2),
    "ViewCls": partial(DoubleSoftmaxResNet50, 1, 3),
    "LRDet": MarkDetector,
    "LungSeg": LungUNet,
    "LiverSeg": partial(InstanceNormUNet3d, 2, 4),
    "BBBSeg": partial(InstanceNormUNet3d, 2, 4),
    "KidneyTumorSeg_1": _kidney(1, 3),
    "KidneyTumorSeg_2_1": _kidney(3, 3),
    "KidneyTumorSeg_2_2": _kidney(3, 4),
    "KidneyTumorSeg_2_3": _kidney(3, 3),
    "KidneyTumorSeg_2_4": _kidney(3, 3),
    "KidneyTumorSeg_2_5": _kidney(3, 3),
    "MRIBET_T1": BrainUNet,
    "MRIBET_MRA": BrainUNet,
    "PolypDet": PolypUNet,
}
TORCH: Final = frozenset({"MRIBET_T1", "MRIBET_MRA", "PolypDet"})  # published for PyTorch, the others for Keras
RESNETS: Final = frozenset({"EnhanceCls", "ViewCls"})


def skeleton(recipe: str) -> nn.Module:
    """Build a recipe's network without memory for its tensors."""
    with torch.device("meta"):
        return NETWORKS[recipe]()
