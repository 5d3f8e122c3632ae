"""Polyps in colonoscopy: single pictures, and frames sampled from films."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dicom_node.pipeline import (
    Code,
    Finding,
    Found,
    HeaderPattern,
    Measurement,
    Model,
    Organ,
    Photograph,
    Pipeline,
    Remark,
    Segment,
    Segmentation,
    Settings,
    Stack,
    Weights,
)
from pipelines.compact import Compact
from pipelines.headers import SCHEME, described, texts
from pipelines.networks.lite_unet import LiteUNet
from pipelines.organs import polyp
from pipelines.photographs import Polyps, fields, sampled
from pipelines.published.polyp import LOGIT, PolypStage
from pipelines.published.runner import Floats, Network
from pipelines.published.stages import Batch
from pipelines.published_recipes import published
from pipelines.recipes import Builder, build
from pipelines.volumetry import ABNORMALITY, NO_UNIT

POLYP: Final = Segment(1, "polyp", ABNORMALITY, Code("68496003", "SCT", "Polyp"), (60, 200, 120))
PROBABILITY: Final = Code("122157", "DCM", "Probability")  # the highest of the picture's pixels
REGIONS: Final = Code("REGIONS", SCHEME, "Number of separate regions")
AREA_SHARE: Final = Code("AREA_SHARE", SCHEME, "Share of the image's area")
MODALITIES: Final = ("ES", "XC", "OT")
DESCRIPTIONS: Final = ("SeriesDescription", "StudyDescription", "ProtocolName", "RequestedProcedureDescription")


class PolypSettings(Settings):
    """`[pipelines.polyp_es]`."""

    threshold: float | None = Field(None, gt=0, lt=1)  # probability of a pixel; the recipe's own where left out
    every_s: float = Field(1.0, ge=0)  # of a film: one frame is looked at in this time; 0 looks at each
    max_frames: int = Field(60, ge=1)  # of one film; a longer film is looked at more thinly
    refuse_pattern: HeaderPattern = (  # in any description: no colon
        r"(?i)bronch|gastr|\begd\b|upper|cysto|laryng|\bent\b|ercp|capsule|위내시경|胃"
    )
    outside_pattern: HeaderPattern = (  # told as a remark
        r"(?i)\bnbi\b|narrow ?band|chromo|indigo|\bbli\b|\blci\b|i ?scan"
    )


class PolypES(Pipeline):
    """Segments polyps in each picture, and says how sure it is of each."""

    name: ClassVar[str] = "polyp_es"
    version: ClassVar[str] = "1.1.0"
    title: ClassVar[str] = "Polyps in colonoscopy"
    takes = Photograph
    settings_type = PolypSettings
    settings: PolypSettings

    def refuse(self, stack: Stack) -> str | None:
        """Refuse what is no endoscopy in colour, and endoscopy of other organs."""
        kinds = texts(stack, "kind")
        if kinds and not {"PHOTO", "CAPTURE"} & set(kinds):
            return f"kind is {kinds[0].lower()}, not photo"
        modality = texts(stack, "Modality")
        if modality and not set(MODALITIES) & set(modality):
            return f"Modality is {modality[0]}, not {' or '.join(MODALITIES)}"
        photometric = stack.text("PhotometricInterpretation")
        if photometric.startswith("MONOCHROME"):
            return f"PhotometricInterpretation is {photometric}, grey; colonoscopy is in colour"
        why = described(stack, DESCRIPTIONS, self.settings.refuse_pattern)
        return f"{why} is of another organ than the colon" if why else None

    def sample(self, stack: Stack) -> Stack:
        """Look at a frame every `every_s` seconds."""
        return sampled(stack, self.settings.every_s, self.settings.max_frames)

    def organs(self) -> tuple[Organ, ...]:
        """Return the bounds of polyps on mucosa."""
        return (polyp(POLYP.type),)

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build the segmenter from one entry of any recipe in RECIPES."""
        return build(self.name, RECIPES, weights, self.settings, device)


class SmallPolyps(PolypStage):
    """Recipe polyp-es-small: the picture without its border, in a smaller square, red first."""

    size: ClassVar[int] = 224

    def prepare(self, image: Photograph, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, 3, size, size), -1 .. 1, per picture."""
        seen = fields(image.pictures)
        squares = [squared(field.of(one), self.size) for field, one in zip(seen, image.pictures, strict=True)]
        return Batch(tuple(one[None] for one in squares), seen)


def squared(picture: NDArray[np.uint8], size: int) -> Floats:
    """(rows, columns, 3) -> (3, size, size), -1 .. 1."""
    square = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(square.transpose(2, 0, 1) / np.float32(127.5) - np.float32(1))


def small_stage(weights: Weights, settings: PolypSettings, device: str) -> SmallPolyps:
    """Recipe polyp-es-small."""
    network = Compact(LiteUNet(inputs=3, outputs=1), weights, device, mirrored=True)
    cut = 0.5 if settings.threshold is None else settings.threshold
    return SmallPolyps(network, lambda polyps, image: told(polyps, image, settings), math.log(cut / (1 - cut)))


def polyp_stage(network: Network, settings: PolypSettings) -> PolypStage:
    """Recipe PolypDet."""
    logit = LOGIT if settings.threshold is None else math.log(settings.threshold / (1 - settings.threshold))
    return PolypStage(network, lambda polyps, image: told(polyps, image, settings), logit)


def told(polyps: Polyps, image: Photograph, settings: PolypSettings) -> Found:
    """Name the polyps, and measure each picture's: what every recipe of this pipeline ends with."""
    found: list[Finding] = [Segmentation(polyps.mask.astype(np.uint8), (POLYP,))]
    for k, (mask, probability) in enumerate(zip(polyps.mask, polyps.probability, strict=True)):
        if mask.any():
            regions = cv2.connectedComponents(mask.astype(np.uint8))[0] - 1
            measured = {PROBABILITY: probability, AREA_SHARE: float(mask.mean()), REGIONS: regions}
            found += [Measurement(concept, value, NO_UNIT, POLYP.name, k) for concept, value in measured.items()]
    return (*found, *remarks(polyps, image.stack, settings))


def remarks(polyps: Polyps, stack: Stack, settings: PolypSettings) -> list[Remark]:
    """Say what a reader must know: how much of a film was looked at, and light that was not trained for."""
    said = []
    looked_at, frames = len(polyps.mask), stack.number("slices") or 1
    if looked_at > 1:
        showing = int(polyps.mask.any(axis=(1, 2)).sum())
        said.append(Remark(f"{showing} of {looked_at} frames looked at show a polyp; the film has {frames:.0f}"))
    if why := described(stack, DESCRIPTIONS, settings.outside_pattern):
        said.append(Remark(f"outside the trained domain (white light): {why}"))
    return said


RECIPES: Final[dict[str, Builder[Any]]] = {"polyp-es-small": small_stage, "PolypDet": published(polyp_stage)}
