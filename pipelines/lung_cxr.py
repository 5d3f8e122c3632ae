"""Lungs of a frontal chest radiograph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from dicom_node.pipeline import (
    Code,
    Finding,
    Found,
    HeaderPattern,
    Measurement,
    Model,
    Organ,
    Pipeline,
    Radiograph,
    Remark,
    Segment,
    Segmentation,
    Settings,
    Stack,
    Weights,
    age_years,
    with_removed,
)
from pipelines.headers import LEFT, RIGHT, SCHEME, described, refuse_radiograph, row_direction, texts
from pipelines.networks.unet import CompactUNet
from pipelines.organs import lung
from pipelines.pictures import letterbox, standardised
from pipelines.published.lungs import LungStage
from pipelines.published.runner import Network
from pipelines.published_recipes import published
from pipelines.recipes import Builder, build, fill
from pipelines.volumetry import NO_UNIT, STRUCTURE

LUNG: Final = Code("39607008", "SCT", "Lung")
AREA: Final = Code("42798000", "SCT", "Area")
AREA_SHARE: Final = Code("AREA_SHARE", SCHEME, "Share of the image's area")
RIGHT_BY_LEFT: Final = Code("RIGHT_BY_LEFT", SCHEME, "Area of the right lung by the left lung's")
IMAGE_LEFT_BY_RIGHT: Final = Code("IMAGE_LEFT_RIGHT", SCHEME, "Area of the image-left lung by the image-right lung's")
SQUARE_MM: Final = Code("mm2", "UCUM", "square millimeter")
RATIO: Final = Code("{ratio}", "UCUM", "ratio")

NOT_FRONTAL: Final = ("LL", "RL", "LATERAL", "LAT", "LLD", "RLD", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "AXIAL")
DESCRIPTIONS: Final = (
    "SeriesDescription",
    "StudyDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
)
YOUNGEST_YEARS: Final = 10
TOUCHING_SHARE: Final = 0.25  # of one component, on either half of the picture, from which it is both lungs
COLOURS: Final = ((230, 90, 70), (70, 130, 230))


class LungSettings(Settings):
    """`[pipelines.lung_cxr]`."""

    threshold: float = Field(0.5, gt=0, lt=1)  # probability from which a pixel is lung; LungSeg keeps its own 0.5
    min_share: float = Field(0.005, ge=0, lt=1)  # of the image; a smaller component is taken for noise
    min_pixels: int = Field(256, ge=1)  # the network's square; a real DX has over 1000, below 512 is usually a capture
    captures: bool = False  # whether Secondary Capture is taken for a radiograph; off, as it may be anything
    refuse_pattern: HeaderPattern = r"(?i)decub|lordot|oblique|inspir.*expir"  # in Series-, Study- and ProtocolName


class LungCXR(Pipeline):
    """Segments both lungs, the part behind the heart included, and measures their areas."""

    name: ClassVar[str] = "lung_cxr"
    version: ClassVar[str] = "1.2.0"
    title: ClassVar[str] = "Lungs of a chest radiograph"
    takes = Radiograph
    settings_type = LungSettings
    settings: LungSettings

    def refuse(self, stack: Stack) -> str | None:
        """Refuse lateral, oblique, lordotic and decubitus views, small images, and odd shapes."""
        reason = refuse_radiograph(stack, self.settings.min_pixels, self.settings.captures) or self._refuse_view(stack)
        return reason or _refuse_shape(stack)

    def organs(self) -> tuple[Organ, ...]:
        """Return the bounds of lungs in a chest."""
        return (lung(LUNG),)

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build the segmenter from one entry of any recipe in RECIPES."""
        return build(self.name, RECIPES, weights, self.settings, device)

    def _refuse_view(self, stack: Stack) -> str | None:
        for keyword, refused in (("ViewPosition", NOT_FRONTAL), ("view", ("LATERAL", "OTHER"))):
            if found := set(texts(stack, keyword)) & set(refused):
                return f"{keyword} is {found.pop()}, not frontal"
        why = described(stack, DESCRIPTIONS, self.settings.refuse_pattern)
        return f"{why} is no plain frontal view" if why else None


def _refuse_shape(stack: Stack) -> str | None:
    rows, columns = stack.number("Rows"), stack.number("Columns")
    if rows and columns and not 0.6 <= columns / rows <= 1.7:
        return f"{columns:.0f} x {rows:.0f} pixels: width by height is outside 0.6 to 1.7, not a whole chest"
    return None


class TwoLungs:
    """Recipe lung-cxr-small: one probability map per lung in a letterboxed square, seen whole and from closer."""

    size: ClassVar[int] = 256
    margin: ClassVar[int] = 16  # pixels of the square that the closer look leaves out on every side

    def __init__(self, weights: Weights, settings: LungSettings, device: str) -> None:
        self.settings = settings
        self.device = device
        self.network = fill(CompactUNet(inputs=1, outputs=2), weights, device)

    def prepare(self, image: Radiograph, previous: Found | None) -> NDArray[np.float32]:  # noqa: ARG002  # one stage
        """Return the standardised square, (1, 1, size, size)."""
        square = letterbox(image, self.size).put(image.picture)
        return standardised(square)[None, None]

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of image-left and image-right lung, (2, size, size), mean of both looks."""
        pictures = torch.from_numpy(batch).to(self.device)
        middle = (..., slice(self.margin, -self.margin), slice(self.margin, -self.margin))
        with torch.inference_mode():
            probabilities = self._likely(pictures)
            closer = self._likely(_resized(pictures[middle], self.size))
            probabilities[middle] = (probabilities[middle] + _resized(closer, self.size - 2 * self.margin)) / 2
        return probabilities[0].float().cpu().numpy()

    def _likely(self, pictures: Tensor) -> Tensor:
        """Return probabilities (n, 2, size, size), mirror-averaged."""
        mirrored: Tensor = torch.sigmoid(self.network(pictures.flip(-1))).flip(-1).flip(1)
        return (torch.sigmoid(self.network(pictures)) + mirrored) / 2

    def finish(self, output: NDArray[np.float32], image: Radiograph) -> Found:
        """Bring the probabilities to the source grid, cut there, and name the lungs."""
        box = letterbox(image, self.size)
        return lungs_found(np.stack([box.take(one) for one in output]), image, self.settings)


def lungs_found(likely: NDArray[np.float32], image: Radiograph, settings: LungSettings) -> Found:
    """Cut probabilities (2, rows, columns) of image-left and image-right lung, name and measure one part of each."""
    found = told(lungs_of(likely, settings), image, likely)
    return with_removed(found, likely.max(axis=0, keepdims=True) >= settings.threshold, image)


def _resized(maps: Tensor, size: int) -> Tensor:
    return nn.functional.interpolate(maps, size=(size, size), mode="bilinear")


def lung_stage(network: Network, settings: LungSettings) -> LungStage:
    """Recipe LungSeg: one mask of both lungs, told apart by where they lie."""

    def tell(mask: NDArray[np.bool_], image: Radiograph) -> Found:
        return with_removed(told(parted(mask, settings.min_share), image), mask[None], image)

    return LungStage(network, tell)


def told(
    lungs: tuple[NDArray[np.bool_], NDArray[np.bool_]], image: Radiograph, likely: NDArray[np.float32] | None = None
) -> Found:
    """Name and measure the image-left and the image-right lung, each (rows, columns) on the source grid.

    `likely` are their probabilities (2, rows, columns) as the network gave them, of one that gives any.
    """
    direction = row_direction(image.stack)
    segments = named(direction)
    labels = np.zeros(image.picture.shape, np.uint8)
    sides = [1, 0] if direction == "R" else [0, 1]
    for segment, side in zip(segments, sides, strict=True):
        labels[lungs[side]] = segment.label
    fractions = None if likely is None else np.rint(255 * likely[sides, None]).astype(np.uint8)
    found: list[Finding] = [Segmentation(labels[None], segments, fractions)]
    return (*found, *measured(labels, segments, image.spacing_mm), *remarks(lungs, image.stack))


def parted(mask: NDArray[np.bool_], min_share: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Part a mask (rows, columns) of both lungs into the image-left and the image-right one.

    A lung alone belongs to the half that holds most of it; lungs that touch are cut where they are thinnest.
    """
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    large = [one for one in range(1, count) if areas[one] >= min_share * mask.size]
    kept = sorted(sorted(large, key=lambda one: -int(areas[one]))[:2], key=lambda one: float(centres[one, 0]))
    if len(kept) == 2:
        return labels == kept[0], labels == kept[1]
    alone = np.isin(labels, kept)
    cut = _cut_column(alone)
    before = np.arange(mask.shape[1]) < cut
    return alone & before, alone & ~before


def _cut_column(mask: NDArray[np.bool_]) -> int:
    """Return the first column that belongs to the image-right lung."""
    columns = mask.sum(axis=0)
    width, total = len(columns), int(columns.sum())
    left = int(columns[: width // 2].sum())
    if min(left, total - left) < TOUCHING_SHARE * total:
        return width if left > total / 2 else 0
    third = width // 3
    return third + int(np.argmin(columns[third : width - third]))


def lungs_of(likely: NDArray[np.float32], settings: LungSettings) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cut probabilities (2, rows, columns): one component each for image-left and image-right lung."""
    left, right = likely
    nearer_left = left >= right
    return (
        _largest((left >= settings.threshold) & nearer_left, settings.min_share),
        _largest((right >= settings.threshold) & ~nearer_left, settings.min_share),
    )


def _largest(mask: NDArray[np.bool_], min_share: float) -> NDArray[np.bool_]:
    """Keep the largest component, or nothing when it is too small."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return np.zeros_like(mask)
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[best, cv2.CC_STAT_AREA] < min_share * mask.size:
        return np.zeros_like(mask)
    return np.asarray(labels == best, np.bool_)


def named(direction: str | None) -> tuple[Segment, Segment]:
    """Name label 1 and 2: right and left lung where the header gives the row direction, else by the image's sides."""
    if direction is None:
        return (
            Segment(1, "image-left lung", STRUCTURE, LUNG, COLOURS[0]),
            Segment(2, "image-right lung", STRUCTURE, LUNG, COLOURS[1]),
        )
    return (
        Segment(1, "right lung", STRUCTURE, LUNG, COLOURS[0], RIGHT),
        Segment(2, "left lung", STRUCTURE, LUNG, COLOURS[1], LEFT),
    )


def measured(
    labels: NDArray[np.uint8], segments: tuple[Segment, Segment], spacing_mm: tuple[float, float] | None
) -> list[Measurement]:
    """Return each lung's area, in mm2 or as a share of the image, and the first lung's area by the second's.

    A radiograph's spacing is often that of the detector: areas are then magnified, their ratio is not.
    """
    pixels = [int((labels == segment.label).sum()) for segment in segments]
    found = [
        Measurement(AREA, count * spacing_mm[0] * spacing_mm[1], SQUARE_MM, segment.name)
        if spacing_mm
        else Measurement(AREA_SHARE, count / labels.size, NO_UNIT, segment.name)
        for segment, count in zip(segments, pixels, strict=True)
    ]
    if all(pixels):
        concept = RIGHT_BY_LEFT if segments[0].laterality else IMAGE_LEFT_BY_RIGHT
        found.append(Measurement(concept, pixels[0] / pixels[1], RATIO))
    return found


def remarks(lungs: tuple[NDArray[np.bool_], NDArray[np.bool_]], stack: Stack) -> list[Remark]:
    """Say what a reader must know: lungs not found, no laterality, a child."""
    said = []
    if missing := sum(not lung.any() for lung in lungs):
        said.append(Remark("no lung was found" if missing == 2 else "only one lung was found"))
    if row_direction(stack) is None:
        said.append(Remark("PatientOrientation does not give the row direction: lungs are named by the image's sides"))
    age = age_years(stack)
    if age is not None and age < YOUNGEST_YEARS:
        said.append(
            Remark(f"outside the trained age range: the patient is {age:.0f} years old, under {YOUNGEST_YEARS}")
        )
    return said


RECIPES: Final[dict[str, Builder[Any]]] = {"lung-cxr-small": TwoLungs, "LungSeg": published(lung_stage)}
