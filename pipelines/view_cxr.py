"""View gate: is a chest radiograph frontal or lateral?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dicom_node.pipeline import Classification, Code, Found, Model, Pipeline, Radiograph, Settings, Stack, Weights
from pipelines.compact import Compact
from pipelines.headers import SCHEME, refuse_radiograph, texts
from pipelines.networks.classifier import CompactClassifier
from pipelines.pictures import standardised
from pipelines.published.runner import Floats, Network
from pipelines.published.view import CLASSES, ViewStage
from pipelines.published_recipes import published
from pipelines.recipes import Builder, build

QUESTION: Final = Code("111031", "DCM", "Image View")
ANSWERS: Final = {
    "frontal": Code("399033003", "SCT", "frontal"),
    "lateral": Code("399067008", "SCT", "lateral"),
    "other": Code("OTHER_VIEW", SCHEME, "Other view"),
    "uncertain": Code("64957009", "SCT", "Uncertain"),
}
VIEWS: Final = ("frontal", "lateral", "other")  # the compact network's classes
COMPACT_SIZE: Final = 128
WIDTHS: Final = (16, 32, 64, 96)
VALUES: Final = {"PA": "frontal", "lateral": "lateral", "other": "other"}
CLAIMS: Final = {
    **dict.fromkeys(("PA", "AP"), "frontal"),
    **dict.fromkeys(("LL", "RL", "LATERAL", "LAT", "LEFT LATERAL", "RIGHT LATERAL"), "lateral"),
}


class ViewSettings(Settings):
    """`[pipelines.view_cxr]`."""

    threshold: float = Field(0.6, ge=0.5, le=1)  # probability of the likeliest class, below which it is uncertain
    min_pixels: int = Field(256, ge=1)  # a real DX has over 1000
    captures: bool = False  # whether Secondary Capture is taken for a radiograph; off, as it may be anything


class ViewCXR(Pipeline):
    """Answers frontal, lateral, other or uncertain for one radiograph."""

    name: ClassVar[str] = "view_cxr"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "View of a chest radiograph"
    takes = Radiograph
    answers: ClassVar[Mapping[str, tuple[str, ...]]] = {"view": VIEWS}
    settings_type = ViewSettings
    settings: ViewSettings

    def refuse(self, stack: Stack) -> str | None:
        """Refuse what is no radiograph for presentation."""
        return refuse_radiograph(stack, self.settings.min_pixels, self.settings.captures)

    def claim(self, stack: Stack) -> tuple[str, str]:
        """Return what ViewPosition says."""
        positions = texts(stack, "ViewPosition")
        claims = {CLAIMS[one] for one in positions if one in CLAIMS}
        if not positions:
            return "", "ViewPosition is absent or empty"
        said = f"ViewPosition {', '.join(positions)}"
        return (claims.pop(), said) if len(claims) == 1 else ("", f"{said} says neither frontal nor lateral")

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build the gate from one entry of any recipe in RECIPES."""
        return build(self.name, RECIPES, weights, self.settings, device)


class Views:
    """Recipe view-cxr-small: the picture pressed into a square, judged with its mirror image."""

    def __init__(self, weights: Weights, settings: ViewSettings, device: str) -> None:
        self.settings = settings
        network = CompactClassifier(inputs=1, classes=len(VIEWS), widths=WIDTHS)
        self.network = Compact(network, weights, device, mirrored=True)

    def prepare(self, image: Radiograph, previous: Found | None) -> Floats:  # noqa: ARG002  # the only stage
        """Return the standardised square, (1, 1, size, size)."""
        return standardised(pressed(image.picture))[None, None]

    def infer(self, batch: Floats) -> Floats:
        """Return the probabilities in order of VIEWS, (3,)."""
        logits = self.network(batch)[0]
        raised = np.exp(logits - logits.max())
        return np.asarray(raised / raised.sum(), np.float32)

    def finish(self, output: Floats, image: Radiograph) -> Found:
        """Name the likeliest view, or say that it is uncertain."""
        best = int(output.argmax())
        probability = float(output[best])
        detail = f"the network says {VIEWS[best]}, probability {probability:.2f}"
        value = VIEWS[best] if probability >= self.settings.threshold else "uncertain"
        scores = tuple((name, float(one)) for name, one in zip(VIEWS, output, strict=True))
        return (answered(value, probability, detail, image, scores),)


def pressed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(rows, columns) -> (COMPACT_SIZE, COMPACT_SIZE), the aspect not kept: how a picture was cut tells no view."""
    size = (COMPACT_SIZE, COMPACT_SIZE)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def answered(
    value: str, probability: float, detail: str, image: Radiograph, scores: tuple[tuple[str, float], ...]
) -> Classification:
    """Put an answer beside what the header says."""
    claim, _ = ViewCXR().claim(image.stack)
    return Classification("view", QUESTION, value, ANSWERS[value], probability, detail, claim, scores)


def view_stage(network: Network, settings: ViewSettings) -> ViewStage:
    """Recipe ViewCls: PA, lateral or other."""

    def tell(probabilities: Floats, image: Radiograph) -> Found:
        scores = tuple((VALUES[name], float(one)) for name, one in zip(CLASSES, probabilities, strict=True))
        return (answered(*judged(probabilities, image.stack, settings.threshold), image, scores),)

    return ViewStage(network, tell)


def judged(probabilities: Floats, stack: Stack, threshold: float) -> tuple[str, float, str]:
    """(3,) in order of CLASSES -> the answer, its probability, and what the network said.

    A portable AP was trained as "other", so there the header tells it from the rest.
    """
    best = int(probabilities.argmax())
    probability = float(probabilities[best])
    detail = f"the network says {CLASSES[best]}, probability {probability:.2f}"
    if probability < threshold:
        return "uncertain", probability, detail
    if CLASSES[best] == "other" and "AP" in texts(stack, "ViewPosition"):
        return "frontal", probability, f"{detail}; ViewPosition is AP, which it was trained to call other"
    return VALUES[CLASSES[best]], probability, detail


RECIPES: Final[dict[str, Builder[Any]]] = {"view-cxr-small": Views, "ViewCls": published(view_stage)}
