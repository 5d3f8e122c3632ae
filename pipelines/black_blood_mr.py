"""One structure of black-blood MR; which it is, the site must say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from dicom_node.pipeline import Code, Model, Organ, Pipeline, Segment, Settings, Stack, Volume, Weights
from pipelines.organs import black_blood
from pipelines.published.runner import Network
from pipelines.published.volumes import LEAST, BlackBloodStage
from pipelines.published_recipes import published
from pipelines.recipes import Builder, build
from pipelines.volumetry import ABNORMALITY, STRUCTURE, refuse_few, refuse_mr, told

DERIVED: Final = ("MIP", "MINIP", "PROJECTION IMAGE", "MPR", "PHASE", "ADC", "PERFUSION", "SUBTRACTION")
CATEGORIES: Final = {"abnormality": ABNORMALITY, "structure": STRUCTURE}


class BlackBloodSettings(Settings):
    """`[pipelines.black_blood_mr]`; what the published network segments is not stated by its authors."""

    segment_code: str = ""  # required, e.g. a SNOMED CT code
    segment_scheme: str = ""  # required, e.g. "SCT"
    segment_meaning: str = ""  # required; also the segment's name
    segment_category: Literal["abnormality", "structure"] = "abnormality"

    @property
    def segment(self) -> Code:
        """The type of the segment."""
        return Code(self.segment_code, self.segment_scheme, self.segment_meaning)


class BlackBloodMR(Pipeline):
    """Segments what the site's configuration names, and measures its volume."""

    name: ClassVar[str] = "black_blood_mr"
    version: ClassVar[str] = "1.1.0"
    title: ClassVar[str] = "Segmentation of black-blood MR"
    takes = Volume
    settings_type = BlackBloodSettings
    settings: BlackBloodSettings

    def refuse(self, stack: Stack) -> str | None:
        """Refuse everything while the segment has no code, then what is no MR volume or too small."""
        reason = self._uncoded() or refuse_mr(stack, DERIVED)
        for keyword in ("slices", "Rows", "Columns"):
            reason = reason or refuse_few(stack, keyword, 2 * LEAST)  # every axis is halved
        return reason

    def organs(self) -> tuple[Organ, ...]:
        """Return the bounds of whatever lies in a patient: what is segmented, the site says."""
        return (black_blood(self.settings.segment),)

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build the segmenter from one entry of any recipe in RECIPES."""
        return build(self.name, RECIPES, weights, self.settings, device)

    def _uncoded(self) -> str | None:
        keys = ("segment_code", "segment_scheme", "segment_meaning")
        missing = [key for key in keys if not getattr(self.settings, key)]
        return (
            f"[pipelines.black_blood_mr] lacks {', '.join(missing)}: what is segmented has no code" if missing else None
        )


def black_blood_stage(network: Network, settings: BlackBloodSettings) -> BlackBloodStage:
    """Recipe BBBSeg: one pass over the whole volume at half its resolution."""
    category = CATEGORIES[settings.segment_category]
    segment = Segment(1, settings.segment_meaning, category, settings.segment, (220, 60, 60))
    return BlackBloodStage(network, lambda labels, image: told(labels, image, (segment,)))


RECIPES: Final[dict[str, Builder[Any]]] = {"BBBSeg": published(black_blood_stage)}
