"""Recipe LungSeg: the lung fields of a chest radiograph, both as one mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.pipeline import Found, Radiograph, RefusalError
from pipelines.published.runner import Floats
from pipelines.published.stages import ArrayStage, Batch, Output, Raw

SIZE = 1024
_SQUARE = np.ones((5, 5), np.uint8)
_LUNGS = 2


def prepared(picture: NDArray[np.uint8]) -> Floats:
    """(rows, columns) grey -> (1024, 1024, 1), mean 0 and population deviation 1; area resizing both ways."""
    if picture.min() == picture.max():
        raise RefusalError("the picture is blank: every pixel has the same value")
    square = cv2.resize(picture.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray((square - np.mean(square)) / np.std(square), np.float32)[..., None]


def cleaned(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(rows, columns) -> 0 or 255: opened, all but the two parts of largest outline removed, opened again."""
    opened = _opened(mask.astype(np.uint8) * 255)
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    others = sorted(outlines, key=cv2.contourArea, reverse=True)[_LUNGS:]
    cv2.drawContours(opened, others, -1, 0, thickness=cv2.FILLED)
    return _opened(opened)


def _opened(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.dilate(cv2.erode(mask, _SQUARE), _SQUARE), np.uint8)


def on_picture(mask: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.bool_]:
    """Bring the mask of the network's square back to the picture by nearest neighbour."""
    return np.asarray(cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_NEAREST_EXACT) > 0)


class LungStage(ArrayStage):
    """One picture; the result is the mask (rows, columns), bool, on the picture's own grid."""

    def prepare(self, image: Radiograph, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, 1024, 1024, 1)."""
        return Batch((prepared(image.picture)[None],))

    def finish(self, output: Output, image: Radiograph) -> Found:
        """Cut at 0.5, clean, and bring the mask back."""
        return self.tell(on_picture(_mask(output), *image.picture.shape), image)

    def raw(self, batch: Batch, output: Output, image: Radiograph) -> Raw:
        """Return what every stage does, the mask on the network's square as published: (1024, 1024, 1), 0 or 255."""
        mask = _mask(output)
        return {**super().raw(batch, output, image), "mask": mask[..., None]}


def _mask(output: Output) -> NDArray[np.uint8]:
    return cleaned(output.outputs[0][0, ..., 0] > 0.5)
