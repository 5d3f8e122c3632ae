"""Liver of abdominal CT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pydantic import Field

from dicom_node.pipeline import (
    Code,
    Found,
    Model,
    Organ,
    Pipeline,
    Segment,
    Settings,
    Stack,
    Volume,
    Weights,
    with_removed,
)
from pipelines.compact import Compact
from pipelines.headers import refuse_ct
from pipelines.networks.lite_unet import LiteUNet
from pipelines.organs import liver
from pipelines.published.runner import Network
from pipelines.published.volumes import LiverStage
from pipelines.published_recipes import published
from pipelines.recipes import Builder, build
from pipelines.slicewise import Labels, SliceStage, largest_parts
from pipelines.volumetry import STRUCTURE, refuse_coarse, told

LIVER: Final = Segment(1, "liver", STRUCTURE, Code("10200004", "SCT", "Liver"), (180, 90, 70))


class LiverSettings(Settings):
    """`[pipelines.liver_ct]`."""

    max_spacing_mm: float = Field(5.0, gt=0)  # between slices; the network's own is 5 mm
    min_extent_mm: float = Field(80.0, gt=0)  # the network needs 16 slices of 5 mm


class LiverCT(Pipeline):
    """Segments the liver, and measures its volume and mean attenuation."""

    name: ClassVar[str] = "liver_ct"
    version: ClassVar[str] = "1.1.0"
    title: ClassVar[str] = "Liver of abdominal CT"
    takes = Volume
    takes_windowed: ClassVar[bool] = True
    settings_type = LiverSettings
    settings: LiverSettings

    def refuse(self, stack: Stack) -> str | None:
        """Refuse what is no axial CT volume, thick slices, and short stacks."""
        return refuse_ct(stack) or refuse_coarse(stack, self.settings.max_spacing_mm, self.settings.min_extent_mm)

    def organs(self) -> tuple[Organ, ...]:
        """Return the bounds of a liver in a trunk."""
        return (liver(LIVER.type),)

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build the segmenter from one entry of any recipe in RECIPES."""
        return build(self.name, RECIPES, weights, self.settings, device)


def liver_slices(weights: Weights, settings: LiverSettings, device: str) -> SliceStage:  # noqa: ARG001  # as every recipe's
    """Recipe liver-ct-small: slice by slice."""
    network = Compact(LiteUNet(inputs=1, outputs=1), weights, device)
    return SliceStage(network, one_liver)


def liver_stage(network: Network, settings: LiverSettings) -> LiverStage:  # noqa: ARG001  # as every recipe's
    """Recipe LiverSeg: one pass over the whole stack at 5 mm."""
    return LiverStage(network, one_liver)


def one_liver(labels: Labels, image: Volume) -> Found:
    """Keep the largest part of a volume, name and measure it, and record the other parts."""
    return with_removed(liver_told(largest_parts(labels, 1), image), labels > 0, image)


def liver_told(labels: Labels, image: Volume) -> Found:
    """Name and measure the liver."""
    return told(labels, image, (LIVER,), mean_hu=True)


RECIPES: Final[dict[str, Builder[Any]]] = {"liver-ct-small": liver_slices, "LiverSeg": published(liver_stage)}
