"""Recipe PolypDet: polyps in a colonoscopy picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.pipeline import Found, RefusalError
from pipelines.published.runner import Floats, Network
from pipelines.published.stages import ArrayStage, Batch, Output, StoredPicture, Tell

SIZE = 512
LOGIT = 0.7  # as published; a probability of 0.668


def prepared(picture: NDArray[np.uint8]) -> Floats:
    """(rows, columns, 3) blue, green, red -> (3, 512, 512), 0 .. 1; resized in 8 bits."""
    square = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(square.transpose(2, 0, 1).astype(np.float32) / np.float32(255))


def on_picture(logits: Floats, rows: int, columns: int, logit: float = LOGIT) -> NDArray[np.bool_]:
    """Bring (512, 512) logits to the picture, then cut: the rim stays where the network saw it."""
    return np.asarray(cv2.resize(logits, (columns, rows), interpolation=cv2.INTER_LINEAR) > logit)


class PolypStage(ArrayStage):
    """One picture; the result is the mask (rows, columns), bool. Normalisation uses the stored statistics."""

    def __init__(self, network: Network, tell: Tell, logit: float = LOGIT) -> None:
        super().__init__(network, tell)
        self.logit = logit

    def prepare(self, image: StoredPicture, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, 3, 512, 512)."""
        if image.picture.ndim != 3:
            raise RefusalError("the picture is grey; colonoscopy is in colour")
        return Batch((prepared(image.picture)[None],))

    def finish(self, output: Output, image: StoredPicture) -> Found:
        """Resize the logits, cut, hand over."""
        rows, columns = image.picture.shape[:2]
        return self.tell(on_picture(output.outputs[0][0, 0], rows, columns, self.logit), image)
