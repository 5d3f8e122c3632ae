"""Recipe PolypDet: polyps in colonoscopy pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.pipeline import Found, Photograph
from pipelines.photographs import Field, fields, polyps_on
from pipelines.published.runner import Floats, Network
from pipelines.published.stages import ArrayStage, Batch, Output, Raw, Tell

SIZE = 512
LOGIT = 0.7  # as published; a probability of 0.668


def prepared(picture: NDArray[np.uint8]) -> Floats:
    """(rows, columns, 3) red, green, blue -> (3, 512, 512) blue, green, red, 0 .. 1; resized in 8 bits."""
    square = cv2.resize(picture[..., ::-1], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(square.transpose(2, 0, 1).astype(np.float32) / np.float32(255))


class PolypStage(ArrayStage):
    """Each picture by itself, its black border left out; the result is a `Polyps`.

    Normalisation uses the stored statistics, not the picture's own as the published program did.
    """

    def __init__(self, network: Network, tell: Tell, logit: float = LOGIT) -> None:
        super().__init__(network, tell)
        self.logit = logit

    def prepare(self, image: Photograph, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, 3, 512, 512) per picture."""
        seen: list[Field] = fields(image.pictures)
        return Batch(
            tuple(prepared(field.of(one))[None] for field, one in zip(seen, image.pictures, strict=True)), seen
        )

    def finish(self, output: Output, image: Photograph) -> Found:
        """Resize the logits, cut, hand over."""
        logits = [one[0, 0] for one in output.outputs]
        return self.tell(polyps_on(image, output.beside, logits, self.logit), image)

    def raw(self, batch: Batch, output: Output, image: Photograph) -> Raw:
        """Return what every stage does, and the cut on the network's square, (pictures, 512, 512)."""
        shown = super().raw(batch, output, image)
        return {**shown, "mask": shown["out"][:, 0] > self.logit}
