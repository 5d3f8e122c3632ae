"""Which Keras network each published recipe is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipelines.published.keras.efficientdet import mark_detector
from pipelines.published.keras.resnet50 import DoubleSoftmaxResNet50
from pipelines.published.keras.unet2d import lung_unet
from pipelines.published.keras.unet3d import UNet3d

_SECOND: Final = UNet3d(3, 3, gated=True, slope=0.3)

NETWORKS: Final[Mapping[str, Callable[[], Any]]] = {
    "EnhanceCls": DoubleSoftmaxResNet50(2, 2),
    "ViewCls": DoubleSoftmaxResNet50(1, 3),
    "LRDet": mark_detector,
    "LungSeg": lung_unet,
    "LiverSeg": UNet3d(2, 4),
    "BBBSeg": UNet3d(2, 4),
    "KidneyTumorSeg_1": UNet3d(1, 3, gated=True, slope=0.3),
    "KidneyTumorSeg_2_1": _SECOND,
    "KidneyTumorSeg_2_2": UNet3d(3, 4, gated=True, slope=0.3),
    **dict.fromkeys(("KidneyTumorSeg_2_3", "KidneyTumorSeg_2_4", "KidneyTumorSeg_2_5"), _SECOND),
}
NAMED: Final = frozenset({"EnhanceCls", "ViewCls", "LRDet"})  # whose layers the authors' programs name
