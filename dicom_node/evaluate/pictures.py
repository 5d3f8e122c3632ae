"""A case as a picture: what is true in green, what was found in red."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.datasets import Case, TrueBox, grid_of
from dicom_node.evaluate.cards import classes_of, ignored_by
from dicom_node.evaluate.masks import marked_findings, marked_truth
from dicom_node.evaluate.scoring import Score
from dicom_node.findings import Box, Detection, Segmentation
from dicom_node.images import Image, Photograph, Volume
from dicom_node.library import Prediction

TRUE: Final = (80, 200, 80)  # blue, green, red
FOUND: Final = (60, 60, 240)
SOFT_TISSUE_HU: Final = (-160.0, 240.0)
_WIDTH: Final = 640
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


@dataclasses.dataclass(frozen=True, slots=True)
class Style:
    """What a model's findings are drawn by."""

    card: Mapping[str, Any]
    score_at: float  # boxes below are not drawn


def draw_case(prediction: Prediction, case: Case, score: Score, style: Style, path: Path) -> None:
    """Write one case as PNG, with its scores below; of a volume, the slice where both differ most."""
    truth, found = _areas(prediction, case, style.card)
    k = int(np.count_nonzero(truth ^ found, axis=(1, 2)).argmax())
    canvas, scale = _enlarged(_base(prediction.image, k))
    for mask, colour in ((truth[k], TRUE), (found[k], FOUND)):
        large = cv2.resize(mask.astype(np.uint8), canvas.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outlines, -1, colour, 1, cv2.LINE_AA)
    boxes = case.truth if isinstance(case.truth, tuple) else ()
    for box in boxes:
        _rectangle(canvas, box, box.label, TRUE, scale)
    for detection in prediction.findings.of(Detection):
        for box in (one for one in detection.boxes if one.probability >= style.score_at):
            _rectangle(canvas, box, f"{box.name} {box.probability:.2f}", FOUND, scale)
    cv2.imwrite(str(path), _captioned(canvas, _lines(case, score)))


def _areas(prediction: Prediction, case: Case, card: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what is true and what was found, (slices, rows, columns); empty where the truth is no mask."""
    image = prediction.image
    segmentation = next(iter(prediction.findings.of(Segmentation)), None)
    if segmentation is None or isinstance(case.truth, str | tuple):
        empty = np.zeros(grid_of(image), bool)
        return empty, empty
    classes = classes_of(card)
    truth, known = marked_truth(case.truth.read(image, classes), classes, ignored_by(card))
    return truth.whole & known, marked_findings(segmentation, ()).whole & known


def _base(image: Image, k: int) -> NDArray[np.uint8]:
    """Return slice k, or the picture, in colours."""
    if isinstance(image, Volume):
        plane = image.array[k]
        low, high = _window(image)
        grey = np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255
        return np.asarray(cv2.cvtColor(grey.astype(np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)
    if isinstance(image, Photograph):
        return np.ascontiguousarray(image.pictures[k, ..., ::-1])
    return np.asarray(cv2.cvtColor(image.picture, cv2.COLOR_GRAY2BGR), np.uint8)


def _window(image: Volume) -> tuple[float, float]:
    if image.stack.text("windowed"):
        return 0.0, 255.0
    if image.stack.text("Modality") == "CT":
        return SOFT_TISSUE_HU
    low, high = np.percentile(image.array, [1, 99.5]).tolist()
    return low, high


def _enlarged(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    scale = _WIDTH / picture.shape[1]
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8), scale


def _rectangle(
    canvas: NDArray[np.uint8], box: Box | TrueBox, text: str, colour: tuple[int, int, int], scale: float
) -> None:
    first, last = (round(box.x1 * scale), round(box.y1 * scale)), (round(box.x2 * scale), round(box.y2 * scale))
    cv2.rectangle(canvas, first, last, colour, 1, cv2.LINE_AA)
    below = colour == TRUE
    place = (min(first[0], _WIDTH - 70), last[1] + 14 if below else max(first[1] - 4, 12))
    cv2.putText(canvas, text, place, _FONT, 0.45, colour, 1, cv2.LINE_AA)


def _lines(case: Case, score: Score) -> list[str]:
    values = (
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}" for name, value in score.values.items()
    )
    return [f"{case.name}   true: green, found: red", *values]


def _captioned(canvas: NDArray[np.uint8], lines: list[str]) -> NDArray[np.uint8]:
    band = np.zeros((18 * len(lines) + 8, canvas.shape[1], 3), np.uint8)
    for number, line in enumerate(lines, 1):
        cv2.putText(band, line, (6, 18 * number), _FONT, 0.45, (230, 230, 230), 1, cv2.LINE_AA)
    return np.concatenate([canvas, band])
