"""Recipe LRDet: the L and R marks of a radiograph."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.pipeline import Found, Radiograph
from pipelines.published.runner import Floats
from pipelines.published.stages import Batch, Output, Raw, Tell

SIZE = 512
SIDES = ("left", "right")
SCORE = 0.85  # the network itself drops what does not exceed it
_BORDER = 128
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of red, green, blue, but put on blue, green, red in training
_STD = np.array([0.229, 0.224, 0.225], np.float32)


@dataclasses.dataclass(frozen=True, slots=True)
class Placing:
    """How a picture lies in the square of 512 pixels."""

    rows: int
    columns: int

    @property
    def scale(self) -> float:
        """Square pixels per picture pixel."""
        return SIZE / max(self.rows, self.columns)

    @property
    def inner(self) -> tuple[int, int]:
        """Rows and columns inside the square, cut off to whole pixels."""
        if self.rows >= self.columns:
            return SIZE, max(1, int(self.columns * self.scale))
        return max(1, int(self.rows * self.scale)), SIZE

    @property
    def offset(self) -> tuple[int, int]:
        """First row and column inside the square."""
        rows, columns = self.inner
        return (SIZE - rows) // 2, (SIZE - columns) // 2


def prepared(picture: NDArray[np.uint8]) -> Floats:
    """(rows, columns) or (rows, columns, 3) blue, green, red -> (512, 512, 3), centred on grey and standardised."""
    colour = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture
    place = Placing(*picture.shape[:2])
    (rows, columns), (top, left) = place.inner, place.offset
    square = np.full((SIZE, SIZE, 3), _BORDER, np.uint8)
    square[top : top + rows, left : left + columns] = cv2.resize(
        colour, (columns, rows), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray((square.astype(np.float32) / 255 - _MEAN) / _STD, np.float32)


def found_marks(
    boxes: Floats, scores: Floats, labels: Floats, place: Placing, score: float = SCORE
) -> dict[str, NDArray[np.float64]]:
    """Bring (300, 4), (300,), (300,) in the square to (n, 5) by side: x1, y1, x2, y2 in whole picture pixels, score."""
    top, left = place.offset
    moved = (boxes.astype(np.float32) - np.array([left, top, left, top], np.float32)) / np.float32(place.scale)
    limits = [place.columns - 1, place.rows - 1] * 2
    kept = np.trunc(np.clip(moved, 0, limits))
    rows = np.column_stack([kept, scores]).astype(np.float64)
    return {side: rows[(scores > score) & (labels == number)] for number, side in enumerate(SIDES)}


class MarkStage:
    """One picture; the result is the marks by side, as `found_marks` gives them."""

    def __init__(self, network: Callable[[Floats], Mapping[str, Floats]], tell: Tell, score: float = SCORE) -> None:
        """Take `Runner(...).outputs`; a score below SCORE changes nothing, and is refused."""
        if score < SCORE:
            raise ValueError(f"score {score}: the network drops what does not exceed {SCORE}")
        self.network, self.tell, self.score = network, tell, score

    def prepare(self, image: Radiograph, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, 512, 512, 3)."""
        return Batch((prepared(image.picture if image.colours is None else image.colours[..., ::-1])[None],))

    def infer(self, batch: Batch) -> Output:
        """Return boxes (1, 300, 4), scores (1, 300) and labels (1, 300) in the square; -1 past the last detection."""
        found = self.network(batch.inputs[0])
        return Output(tuple(found[f"det_{name}"] for name in ("boxes", "scores", "labels")))

    def finish(self, output: Output, image: Radiograph) -> Found:
        """Hand over the marks in picture pixels."""
        return self.tell(self._marks(output, image), image)

    def raw(self, batch: Batch, output: Output, image: Radiograph) -> Raw:
        """Return the square (512, 512, 3), the detections (300, ...) and the marks by side (n, 5)."""
        boxes, scores, labels = (one[0] for one in output.outputs)
        detected = {"det_boxes": boxes, "det_scores": scores, "det_labels": labels}
        return {"pre": batch.inputs[0][0], "out": boxes, **detected, **self._marks(output, image)}

    def _marks(self, output: Output, image: Radiograph) -> dict[str, NDArray[np.float64]]:
        boxes, scores, labels = (one[0] for one in output.outputs)
        return found_marks(boxes, scores, labels, Placing(*image.picture.shape), self.score)
