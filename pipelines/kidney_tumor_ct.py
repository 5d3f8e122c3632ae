"""Kidneys and kidney tumours of contrast-enhanced CT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dicom_node.pipeline import (
    Code,
    Found,
    HeaderPattern,
    Measurement,
    Model,
    Organ,
    Pipeline,
    Remark,
    Segment,
    Settings,
    Stack,
    Volume,
    Weights,
    WeightsError,
    with_removed,
)
from pipelines.compact import Compact
from pipelines.contrast_claim import Patterns, read_claim
from pipelines.headers import LEFT, RIGHT, SCHEME, described, refuse_ct, texts
from pipelines.networks.unet import CompactUNet
from pipelines.organs import kidney
from pipelines.published.kidney import (
    LEFT_KIDNEY,
    LEFT_TUMOUR,
    RIGHT_KIDNEY,
    RIGHT_TUMOUR,
    Vote,
    cascade,
    left_parts,
)
from pipelines.published.kidney_modes import MODES
from pipelines.published.runner import network_of
from pipelines.published.stages import turned
from pipelines.recipes import Builder, build
from pipelines.slicewise import Labels, SliceStage, largest_parts
from pipelines.volumetry import ABNORMALITY, NO_UNIT, STRUCTURE, refuse_coarse, refuse_few, told

KIDNEY: Final = Code("64033007", "SCT", "Kidney")
TUMOUR: Final = Code("126880001", "SCT", "Neoplasm of kidney")
SEGMENTS: Final = (
    Segment(RIGHT_KIDNEY, "right kidney", STRUCTURE, KIDNEY, (185, 102, 83), RIGHT),
    Segment(LEFT_KIDNEY, "left kidney", STRUCTURE, KIDNEY, (205, 142, 123), LEFT),
    Segment(RIGHT_TUMOUR, "right kidney tumour", ABNORMALITY, TUMOUR, (144, 238, 144), RIGHT),
    Segment(LEFT_TUMOUR, "left kidney tumour", ABNORMALITY, TUMOUR, (84, 198, 84), LEFT),
)
UNSIDED: Final = (
    Segment(1, "kidney", STRUCTURE, KIDNEY, (185, 102, 83)),
    Segment(2, "kidney tumour", ABNORMALITY, TUMOUR, (144, 238, 144)),
)
LEAST_PART: Final = 0.1  # of the larger kidney; a smaller part is no kidney
BODY_HU: Final = -300.0
AGREEMENT: Final = Code("VOTE_SHARE", SCHEME, "Share of the networks that agree, mean over the segment")
ROLES: Final = {f"stage{mode}": f"KidneyTumorSeg_{mode}" for mode in MODES}
"""Role in `weights = { stage1 = ..., stage2_1 = ... }` -> recipe of the published cascade."""


class KidneySettings(Settings):
    """`[pipelines.kidney_tumor_ct]`."""

    max_spacing_mm: float = Field(5.0, gt=0)  # between slices
    min_extent_mm: float = Field(120.0, gt=0)  # both kidneys of an adult
    min_slices: int = Field(30, ge=1)
    min_tumour_ml: float = Field(0.0, ge=0)  # a side's tumour below this is taken for kidney
    refuse_pattern: HeaderPattern = r"(?i)delay|excret|urogr|pyelo"  # phases in which the renal pelvis is bright


class KidneyTumorCT(Pipeline):
    """Segments both kidneys and their tumours, and measures volumes and mean attenuation."""

    name: ClassVar[str] = "kidney_tumor_ct"
    version: ClassVar[str] = "1.1.0"
    title: ClassVar[str] = "Kidneys and kidney tumours of CT"
    takes = Volume
    takes_windowed: ClassVar[bool] = True
    raw_in_stored_axes: ClassVar[bool] = False  # the published program turned the axes itself
    settings_type = KidneySettings
    settings: KidneySettings

    def refuse(self, stack: Stack) -> str | None:
        """Refuse what is no axial CT volume, thick or short stacks, excretory phases and plain CT."""
        chosen = self.settings
        return (
            refuse_ct(stack)
            or refuse_coarse(stack, chosen.max_spacing_mm, chosen.min_extent_mm)
            or refuse_few(stack, "slices", chosen.min_slices)
            or self._refuse_phase(stack)
            or refuse_plain(stack)
        )

    def organs(self) -> tuple[Organ, ...]:
        """Return the bounds of kidneys in a trunk, their tumours counted in."""
        return (kidney(KIDNEY, TUMOUR),)

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build from the roles of ROLES, all of them, or from one entry of any recipe in RECIPES."""
        if set(weights) == {""}:
            return build(self.name, RECIPES, weights, self.settings, device)
        return published_cascade(weights, self.settings, device)

    def _refuse_phase(self, stack: Stack) -> str | None:
        keywords = ("SeriesDescription", "ContrastBolusAgentPhase", "ProtocolName")
        why = described(stack, keywords, self.settings.refuse_pattern)
        return f"{why} is a phase in which contrast fills the renal pelvis" if why else None


def refuse_plain(stack: Stack) -> str | None:
    """Say that the CT is not contrast-enhanced: by the gate where there was one, else by the header."""
    if decided := texts(stack, "contrast"):
        return None if decided == ["ENHANCED"] else f"contrast is {decided[0].lower()}, not enhanced"
    claim, why = read_claim(stack, Patterns())
    return f"not contrast-enhanced: {why}" if claim == "non-enhanced" else None


def published_cascade(weights: Mapping[str, Weights], settings: KidneySettings, device: str) -> Model:
    """Load the six published networks; WeightsError where a role is missing or holds another recipe."""
    if missing := [role for role in ROLES if role not in weights]:
        raise WeightsError(f"kidney_tumor_ct needs the roles {', '.join(ROLES)}; {', '.join(missing)} are missing")
    for role, entry in weights.items():
        if entry.recipe != ROLES.get(role):
            wanted = ROLES.get(role, "no role of kidney_tumor_ct")
            raise WeightsError(f"weights {entry.name!r}: recipe {entry.recipe} in role {role}, wanted {wanted}")
    networks = {mode: network_of(weights[f"stage{mode}"], device) for mode in MODES}
    return cascade(networks, lambda vote, image: voted(vote, image, settings))


def voted(vote: Vote, image: Volume, settings: KidneySettings) -> Found:
    """Name and measure the cascade's vote, and say how far its networks agree."""
    found = kidneys_told(vote.labels, image, settings)
    shares = [
        Measurement(AGREEMENT, vote.agreement[one.label], NO_UNIT, one.name)
        for one in SEGMENTS
        if one.label in vote.agreement
    ]
    return (*found, *shares)


def kidneys_told(labels: NDArray[np.uint8], image: Volume, settings: KidneySettings) -> Found:
    """Name and measure (slices, rows, columns) labels of SEGMENTS: what every recipe of this pipeline ends with."""
    found = told(without_crumbs(labels, image, settings.min_tumour_ml), image, SEGMENTS, mean_hu=True)
    present = {side for side in (RIGHT_KIDNEY, LEFT_KIDNEY) if np.isin(labels, (side, side + 2)).any()}
    missing = [one.name for one in SEGMENTS[:2] if one.label not in present]
    return (*found, Remark(f"no {' and no '.join(missing)} was found")) if missing else found


def without_crumbs(labels: NDArray[np.uint8], image: Volume, min_tumour_ml: float) -> NDArray[np.uint8]:
    """Give a side's tumour back to its kidney where it is smaller than `min_tumour_ml` in all."""
    millilitres = float(np.prod(image.spacing_mm)) / 1000
    kept = labels.copy()
    for tumour, organ in ((RIGHT_TUMOUR, RIGHT_KIDNEY), (LEFT_TUMOUR, LEFT_KIDNEY)):
        mask = labels == tumour
        if 0 < mask.sum() * millilitres < min_tumour_ml:
            kept[mask] = organ
    return kept


def kidney_slices(weights: Weights, settings: KidneySettings, device: str) -> SliceStage:
    """Recipe kidney-ct-small: slice by slice; of a volume the two largest parts are the kidneys."""
    network = Compact(CompactUNet(inputs=1, outputs=2), weights, device, mirrored=True)
    return SliceStage(network, lambda labels, image: slices_told(labels, image, settings))


def slices_told(labels: Labels, image: Volume, settings: KidneySettings) -> Found:
    """Name labels 1 kidney and 2 tumour on the source grid; a picture does not say which side is which."""
    if image.stack.text("windowed"):
        return told(labels, image, UNSIDED)
    oriented = image.oriented("SPL")
    organs = largest_parts(turned(oriented, labels), 2, LEAST_PART)
    found = kidneys_told(oriented.restore(by_side(organs, oriented.array > BODY_HU)), image, settings)
    return with_removed(found, labels > 0, image)


def by_side(organs: Labels, body: NDArray[np.bool_]) -> Labels:
    """(z, y, x) labels 1 kidney, 2 tumour -> the four labels: each part by the half of the body that it lies in."""
    columns = np.arange(organs.shape[2])
    middle = float((body.sum(axis=(0, 1)) * columns).sum() / max(int(body.sum()), 1))
    return np.where(organs > 0, 2 * organs - 1 + left_parts(organs > 0, middle), 0).astype(np.uint8)


RECIPES: Final[dict[str, Builder[Any]]] = {"kidney-ct-small": kidney_slices}
"""Recipes of one entry for the whole task; the published cascade has an entry per role of ROLES."""
