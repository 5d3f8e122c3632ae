"""What anatomy allows of an organ, as data: each bound has its unit, the sentence for a reader, and its source."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

from dicom_node.findings import Code

Check: TypeAlias = Literal["place", "shape", "body", "volume"]
"""`place` in the body, `shape` of the organ, `body`: a patient and no phantom, `volume` or area for the age."""

Tissue: TypeAlias = Literal["hounsfield", "signal", "film", "colour"]
"""What the pixels are: Hounsfield units, MR signal, a radiograph as shown, a colour photograph."""

Measure: TypeAlias = Literal[
    "height_mm",
    "depth_mm",
    "breadth_mm",
    "length_mm",
    "convexity",
    "face_share",
    "holes_share",
    "body_share",
    "cover_mm",
    "below_top_mm",
    "to_left",
    "edge_share",
    "texture",
    "body_texture",
    "mean_hu",
    "fat_share",
    "bone_share",
    "volume_ml",
    "image_share",
    "field_share",
    "darkness",
    "structure",
    "slenderness",
    "colour",
]
"""Names of what is measured; `dicom_node.anatomy.solid` and `dicom_node.anatomy.flat` say how."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bound:
    """One measure and the values that anatomy allows; the bound is not judged where the measure cannot be taken."""

    check: Check
    measure: Measure
    says: str  # completes "the brain found ..."; {value}, {low} and {high} stand for the numbers
    source: str  # a publication whose figures were looked up, else "chosen by us" and the reason
    low: float = float("-inf")
    high: float = float("inf")
    from_years: float = 0.0  # the patient's age from which the bound holds
    below_years: float = float("inf")  # the age from which the bound no longer holds
    side: Code | None = None  # of the organ that the bound holds for; None is either

    def applies_to(self, age: float | None, side: Code | None) -> bool:
        """Say whether the bound is meant for a patient of this age in years (None: unknown), and for that side."""
        any_age = (self.from_years, self.below_years) == (0.0, float("inf"))
        of_age = any_age if age is None else self.from_years <= age < self.below_years
        return of_age and self.side in (None, side)

    def sentence(self, value: float) -> str:
        """Return the broken bound's sentence without its subject."""
        return self.says.format(value=value, low=self.low, high=self.high)


@dataclasses.dataclass(frozen=True, slots=True)
class Organ:
    """The bounds of one organ; segments of any of `types` and of one side are judged together as that organ."""

    name: str
    types: tuple[Code, ...]  # the organ's own type first, then what belongs to the organ, e.g. its tumours
    tissue: Tissue
    bounds: tuple[Bound, ...]
