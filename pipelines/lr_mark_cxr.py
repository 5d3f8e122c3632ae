"""Burned-in L and R marks of a chest radiograph: found, and erased in a copy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from dicom_node.pipeline import (
    Box,
    Code,
    Detection,
    ErasedImage,
    Finding,
    Found,
    Model,
    Pipeline,
    Radiograph,
    Remark,
    Settings,
    Stack,
    Weights,
)
from pipelines.headers import LEFT, RIGHT, SCHEME, refuse_radiograph, row_direction, texts
from pipelines.inpainting import METHOD, Rectangle, fill_boxes
from pipelines.networks.detector import CentreDetector
from pipelines.pictures import Letterbox, letterbox, standardised
from pipelines.published.marks import SCORE, MarkStage
from pipelines.published.marks import SIDES as PUBLISHED_SIDES
from pipelines.published.runner import Floats
from pipelines.published_recipes import published
from pipelines.recipes import Builder, build, fill

CONCEPT: Final = Code("LATERALITY_MARK", SCHEME, "Burned-in laterality mark")
SIDES: Final = (("L", LEFT), ("R", RIGHT))  # in the order of the network's classes


class MarkSettings(Settings):
    """`[pipelines.lr_mark_cxr]`."""

    score_at: float = Field(
        0.45, gt=0, lt=1
    )  # score from which a place is a mark; LRDet itself drops what is below 0.85
    overlap: float = Field(0.3, gt=0, le=1)  # of two boxes (intersection over union), from which they are one mark
    margin: float = Field(0.12, ge=0, le=1)  # of a box's longer side, erased around it on every side
    captures: bool = False  # whether Secondary Capture is taken for a radiograph; off, as it may be anything
    min_pixels: int = Field(256, ge=1)  # a letter of a smaller image is a few pixels; a real DX has over 1000


class LRMarkCXR(Pipeline):
    """Boxes every L and R mark, compares its side with PatientOrientation, and erases it in a copy."""

    name: ClassVar[str] = "lr_mark_cxr"
    version: ClassVar[str] = "1.1.0"
    title: ClassVar[str] = "L and R marks of a chest radiograph"
    takes = Radiograph
    settings_type = MarkSettings
    settings: MarkSettings

    def refuse(self, stack: Stack) -> str | None:
        """Refuse what is no radiograph for presentation; any view will do."""
        return refuse_radiograph(stack, self.settings.min_pixels, self.settings.captures)

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build the detector from one entry of any recipe in RECIPES."""
        return build(self.name, RECIPES, weights, self.settings, device)


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """One mark in pixels of the picture it was found in; class 0 is L, 1 is R."""

    side: int
    score: float
    x1: float
    y1: float
    x2: float
    y2: float


class MarkFinder:
    """Recipe lr-mark-small: centre points in a letterboxed square."""

    size: ClassVar[int] = 640

    def __init__(self, weights: Weights, settings: MarkSettings, device: str) -> None:
        self.settings = settings
        self.device = device
        self.network = fill(CentreDetector(inputs=1, classes=2), weights, device)

    def prepare(self, image: Radiograph, previous: Found | None) -> NDArray[np.float32]:  # noqa: ARG002  # one stage
        """Return the standardised square, (1, 1, size, size)."""
        square = letterbox(image, self.size).put(image.picture)
        return standardised(square)[None, None]

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the network's maps, (2 + 4, size / 4, size / 4)."""
        with torch.inference_mode():
            maps = self.network(torch.from_numpy(batch).to(self.device))
        return np.asarray(maps[0].float().cpu().numpy(), np.float32)

    def finish(self, output: NDArray[np.float32], image: Radiograph) -> Found:
        """Turn heat into marks on the source grid."""
        square = letterbox(image, self.size)
        return told([_to_source(mark, square) for mark in decoded(output, self.settings)], image, self.settings)


def mark_stage(network: Callable[[Floats], Mapping[str, Floats]], settings: MarkSettings) -> MarkStage:
    """Recipe LRDet: marks by side, which may put both letters on one place; the surer stays."""

    def tell(by_side: Mapping[str, NDArray[np.float64]], image: Radiograph) -> Found:
        marks = [
            Mark(side, score, x1, y1, max(x2, x1 + 1), max(y2, y1 + 1))
            for side, name in enumerate(PUBLISHED_SIDES)
            for x1, y1, x2, y2, score in by_side[name].tolist()
        ]
        return told(surest(marks, settings.overlap), image, settings)

    return MarkStage(network, tell, max(settings.score_at, SCORE))


def told(marks: list[Mark], image: Radiograph, settings: MarkSettings) -> Found:
    """Box marks of the source picture; erase them; say where a mark and the header disagree."""
    boxes = tuple(_box(mark) for mark in marks)
    found: list[Finding] = [Detection(CONCEPT, boxes)]
    if boxes:
        found.append(erased(image.stored, boxes, settings.margin))
    found.extend(disagreements(boxes, image))
    return tuple(found)


def surest(marks: list[Mark], overlap: float) -> list[Mark]:
    """Return the marks, the surest first; of overlapping ones it alone stays."""
    kept: list[Mark] = []
    for mark in sorted(marks, key=lambda one: -one.score):
        if all(iou(mark, other) < overlap for other in kept):
            kept.append(mark)
    return kept


def decoded(maps: NDArray[np.float32], settings: MarkSettings) -> list[Mark]:
    """Read the marks off (classes + 4, h, w) maps, the strongest first; of overlapping ones it alone stays."""
    heat = 1 / (1 + np.exp(-maps[:2]))
    peaks = torch.nn.functional.max_pool2d(torch.from_numpy(heat)[None], 3, 1, 1)[0].numpy()
    places = np.argwhere((heat == peaks) & (heat >= settings.score_at))
    marks = [
        _mark(maps[2:, row, column], side, float(heat[side, row, column]), row, column)
        for side, row, column in places.tolist()
    ]
    return surest(marks, settings.overlap)


def _mark(edges: NDArray[np.float32], side: int, score: float, row: int, column: int) -> Mark:
    stride = CentreDetector.stride
    left, top, right, bottom = np.exp(np.clip(edges.astype(float), -4, 5))
    x, y = column + 0.5, row + 0.5
    return Mark(side, score, (x - left) * stride, (y - top) * stride, (x + right) * stride, (y + bottom) * stride)


def iou(one: Mark, other: Mark) -> float:
    """Return intersection over union of two marks' boxes."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((mark.x2 - mark.x1) * (mark.y2 - mark.y1) for mark in (one, other))
    return width * height / (areas - width * height)


def _to_source(mark: Mark, square: Letterbox) -> Mark:
    """Bring a mark of the square to the source picture, clipped to it and at least one pixel large."""
    x1, y1 = square.point(mark.x1, mark.y1)
    x2, y2 = square.point(mark.x2, mark.y2)
    x1, y1 = min(max(x1, 0.0), square.columns - 1.0), min(max(y1, 0.0), square.rows - 1.0)
    x2, y2 = min(max(x2, x1 + 1), square.columns), min(max(y2, y1 + 1), square.rows)
    return dataclasses.replace(mark, x1=x1, y1=y1, x2=x2, y2=y2)


def _box(mark: Mark) -> Box:
    name, code = SIDES[mark.side]
    return Box(name, code, mark.x1, mark.y1, mark.x2, mark.y2, mark.score)


def erased(stored: NDArray[Any], boxes: tuple[Box, ...], margin: float) -> ErasedImage:
    """Fill each box with a margin around it, on whole pixels; the boxes returned are those that were filled."""
    rows, columns = stored.shape
    grown: list[Box] = []
    for box in boxes:
        more = margin * max(box.x2 - box.x1, box.y2 - box.y1)
        x1, y1 = max(0, math.floor(box.x1 - more)), max(0, math.floor(box.y1 - more))
        x2, y2 = min(columns, math.ceil(box.x2 + more)), min(rows, math.ceil(box.y2 + more))
        grown.append(dataclasses.replace(box, x1=x1, y1=y1, x2=x2, y2=y2))
    rectangles: list[Rectangle] = [(int(one.x1), int(one.y1), int(one.x2), int(one.y2)) for one in grown]
    return ErasedImage(fill_boxes(stored, rectangles), tuple(grown), METHOD)


def disagreements(boxes: tuple[Box, ...], image: Radiograph) -> list[Remark]:
    """Say for each mark that it contradicts PatientOrientation, by its half of the picture, or the laterality."""
    return [*_against_orientation(boxes, image), *_against_laterality(boxes, image.stack)]


def _against_orientation(boxes: tuple[Box, ...], image: Radiograph) -> list[Remark]:
    direction = row_direction(image.stack)
    middle = image.picture.shape[1] / 2
    remarks = []
    for box in boxes:
        side = "right" if (box.x1 + box.x2) / 2 > middle else "left"
        expected = "right" if box.name == direction else "left"
        if direction is not None and side != expected:
            remarks.append(
                Remark(
                    f"mark and header disagree: the {box.name} mark is on the image's {side} half, "
                    f"where PatientOrientation has the patient's {'left' if box.name == 'R' else 'right'} side",
                    doubts_sides=True,
                )
            )
    return remarks


def _against_laterality(boxes: tuple[Box, ...], stack: Stack) -> list[Remark]:
    """Compare with the side that a header names where only one of a pair was examined (PS3.3 C.7.3.1, C.8.3.1)."""
    return [
        Remark(f"mark and header disagree: the mark is {box.name}, {keyword} is {said}", doubts_sides=True)
        for keyword in ("Laterality", "ImageLaterality")
        for said in texts(stack, keyword)
        for box in boxes
        if said in {"L", "R"} and said != box.name
    ]


RECIPES: Final[dict[str, Builder[Any]]] = {
    "lr-mark-small": MarkFinder,
    "LRDet": published(lambda runner, settings: mark_stage(runner.outputs, settings)),
}
