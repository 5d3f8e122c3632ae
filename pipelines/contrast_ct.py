"""Contrast gate: does a CT stack show iodine in the vessels?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dicom_node.pipeline import (
    Classification,
    Code,
    Found,
    HeaderPattern,
    Model,
    Pipeline,
    Remark,
    Settings,
    Stack,
    Volume,
    Weights,
)
from pipelines.contrast_claim import ENHANCED_PATTERN, IGNORED_PATTERN, NON_ENHANCED_PATTERN, Patterns, read_claim
from pipelines.ct_slices import lung_share, resampled, windowed
from pipelines.headers import SCHEME, refuse_ct
from pipelines.networks.classifier import CompactClassifier
from pipelines.published.contrast import CLASSES, EnhanceStage
from pipelines.published.runner import Floats, Network
from pipelines.published_recipes import published
from pipelines.recipes import Builder, build, fill

QUESTION: Final = Code("CT_CONTRAST", SCHEME, "Contrast enhancement of CT")
ANSWERS: Final = {
    "enhanced": Code("ENHANCED", SCHEME, "Contrast-enhanced"),
    "non-enhanced": Code("NON_ENHANCED", SCHEME, "Not contrast-enhanced"),
    "uncertain": Code("64957009", "SCT", "Uncertain"),
}


class ContrastSettings(Settings):
    """`[pipelines.contrast_ct]`."""

    enhanced_at: float = Field(0.65, ge=0.5, le=1)  # mean probability from which the stack is enhanced
    non_enhanced_at: float = Field(0.35, ge=0, le=0.5)  # mean probability up to which it is not
    slices: int = Field(9, ge=1)  # sampled over the stack; more cost time, fewer miss the vessels
    lung_share: float = Field(
        0.08, ge=0, le=1
    )  # of the body's cross-section, from which a slice shows chest; 0 judges any region
    chest_slices: float = Field(0.3, ge=0, le=1)  # share of the sampled slices that must show chest
    enhanced_pattern: HeaderPattern = ENHANCED_PATTERN  # in SeriesDescription, `_ - . /` read as blanks
    non_enhanced_pattern: HeaderPattern = NON_ENHANCED_PATTERN  # likewise, and with the hyphen kept for `C-`
    ignored_pattern: HeaderPattern = IGNORED_PATTERN  # taken out first: it speaks of no contrast in the vessels

    @property
    def patterns(self) -> Patterns:
        """What the description is read by."""
        return Patterns(self.enhanced_pattern, self.non_enhanced_pattern, self.ignored_pattern)


class ContrastCT(Pipeline):
    """Answers enhanced, non-enhanced or uncertain for one stack of axial CT."""

    name: ClassVar[str] = "contrast_ct"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "Contrast enhancement of CT"
    takes = Volume
    answers: ClassVar[Mapping[str, tuple[str, ...]]] = {"contrast": ("enhanced", "non-enhanced")}
    settings_type = ContrastSettings
    settings: ContrastSettings

    def refuse(self, stack: Stack) -> str | None:
        """Refuse what is no axial CT volume."""
        return refuse_ct(stack)

    def claim(self, stack: Stack) -> tuple[str, str]:
        """Return what the header says about contrast, and why."""
        return read_claim(stack, self.settings.patterns)

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build the gate from one entry of any recipe in RECIPES."""
        return build(self.name, RECIPES, weights, self.settings, device)


@dataclasses.dataclass(frozen=True, slots=True)
class Sampled:
    """The slices that the network sees, and which of them show chest."""

    slices: NDArray[np.float32]  # (n, windows, size, size)
    chest: NDArray[np.bool_]  # (n,)


class ChestSlices:
    """Recipe contrast-ct-small: a few slices over the stack, each judged alone, the chest's probabilities averaged."""

    def __init__(self, weights: Weights, settings: ContrastSettings, device: str) -> None:
        self.settings = settings
        self.device = device
        self.network = fill(CompactClassifier(inputs=3, classes=1), weights, device)

    def prepare(self, image: Volume, previous: Found | None) -> Sampled:  # noqa: ARG002  # the only stage
        """Sample the stack."""
        oriented = image.oriented("SPL")
        spacing_mm = oriented.spacing_mm[1:]
        sampled = spread(oriented.array, self.settings.slices)
        squares = [windowed(resampled(hu, spacing_mm)) for hu in sampled]
        return Sampled(np.stack(squares), shows_chest(sampled, spacing_mm, self.settings))

    def infer(self, batch: Sampled) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return each slice's probability of enhancement, (n,), mirror-averaged, and which show chest."""
        with torch.inference_mode():
            slices = torch.from_numpy(batch.slices).to(self.device)
            logits: Tensor = self.network(slices) + self.network(slices.flip(-1))
        probabilities = torch.sigmoid(logits[:, 0] / 2).cpu().numpy()
        return np.asarray(probabilities, np.float32), batch.chest

    def finish(self, output: tuple[NDArray[np.float32], NDArray[np.bool_]], image: Volume) -> Found:
        """Average the slices."""
        return told(*output, image, self.settings)


def enhance_stage(network: Network, settings: ContrastSettings) -> EnhanceStage:
    """Recipe EnhanceCls: the same slices, of which only those that show chest are averaged."""

    def tell(probabilities: Floats, image: Volume) -> Found:
        oriented = image.oriented("SPL")
        chest = shows_chest(spread(oriented.array, settings.slices), oriented.spacing_mm[1:], settings)
        return told(probabilities[:, CLASSES.index("enhanced")], chest, image, settings)

    return EnhanceStage(network, tell, settings.slices)


def told(
    probabilities: NDArray[np.float32], chest: NDArray[np.bool_], image: Volume, settings: ContrastSettings
) -> Found:
    """Average the chest slices; outside the chest, or between the thresholds, the answer is uncertain.

    `probabilities` of enhancement and `chest` are (n,), one for each sampled slice.
    """
    claim, _ = read_claim(image.stack, settings.patterns)
    found = int(chest.sum())
    if found < max(1.0, settings.chest_slices * len(chest)):
        seen = f"{found} of {len(chest)} sampled slices show lung"
        outside = Remark(f"outside the trained body region (chest): {seen}")
        return _answer("uncertain", 0.5, seen, claim, float(probabilities.mean())), outside
    mean = float(probabilities[chest].mean())
    votes = int((probabilities[chest] >= 0.5).sum())
    detail = f"{votes} of {found} slices voted enhanced, mean probability {mean:.2f}"
    if mean >= settings.enhanced_at:
        return (_answer("enhanced", mean, detail, claim, mean),)
    if mean <= settings.non_enhanced_at:
        return (_answer("non-enhanced", 1 - mean, detail, claim, mean),)
    return (_answer("uncertain", max(mean, 1 - mean), detail, claim, mean),)


def shows_chest(
    slices: NDArray[np.float32], spacing_mm: tuple[float, float], settings: ContrastSettings
) -> NDArray[np.bool_]:
    """Tell for each of (n, rows, columns) HU slices whether it shows chest: (n,)."""
    return np.array([lung_share(hu, spacing_mm) >= settings.lung_share for hu in slices], bool)


def spread(slices: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return up to `count` slices at even distances, the ends of the stack left out: (n, rows, columns)."""
    total = len(slices)
    middles = (np.arange(count) + 0.5) / count * total
    chosen = np.unique(np.clip(middles.astype(int), 0, total - 1))
    return np.asarray(slices[chosen], np.float32)


def _answer(value: str, probability: float, detail: str, claim: str, enhanced: float) -> Classification:
    scores = (("enhanced", enhanced), ("non-enhanced", 1 - enhanced))
    return Classification("contrast", QUESTION, value, ANSWERS[value], probability, detail, claim, scores)


RECIPES: Final[dict[str, Builder[Any]]] = {"contrast-ct-small": ChestSlices, "EnhanceCls": published(enhance_stage)}
