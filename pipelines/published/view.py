"""Recipe ViewCls: from where was a chest radiograph taken?"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.pipeline import Found, Radiograph
from pipelines.published.stages import ArrayStage, Batch, Output, Raw

SIZE = 512
CLASSES = ("PA", "lateral", "other")
_RESIZED_AS_THEY_ARE = (np.uint8, np.uint16, np.int16)


def prepared(pixels: NDArray[Any], *, inverted: bool = False) -> NDArray[np.uint8]:
    """(rows, columns) pixels -> (512, 512, 1), 0 .. 255: from the minimum to the 99th percentile, cut off, not rounded.

    Args:
        pixels: after the modality's rescale; the resizing rounds in their integer type.
        inverted: for MONOCHROME1, where low values are bright.
    """
    if pixels.dtype not in _RESIZED_AS_THEY_ARE:
        pixels = pixels.astype(np.float32)
    if inverted:
        pixels = pixels.max() - pixels
    square = cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    square -= square.min()
    top = np.percentile(square, 99)
    if top <= 0:  # a blank image, or nearly so
        return np.zeros((SIZE, SIZE, 1), np.uint8)
    return (np.clip(square / top, None, 1) * 255).astype(np.uint8)[..., None]


class ViewStage(ArrayStage):
    """The whole picture, judged once; the result is the probabilities (3,) in order of CLASSES."""

    def prepare(self, image: Radiograph, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Return one input (1, 512, 512, 1)."""
        inverted = image.stack.text("PhotometricInterpretation") == "MONOCHROME1"
        return Batch((prepared(image.stored, inverted=inverted)[None].astype(np.float32),))

    def finish(self, output: Output, image: Radiograph) -> Found:
        """Hand over the probabilities."""
        return self.tell(output.outputs[0][0], image)

    def raw(self, batch: Batch, output: Output, image: Radiograph) -> Raw:
        """Return what every stage does, the picture in 8 bits."""
        shown = super().raw(batch, output, image)
        return {**shown, "pre": shown["pre"].astype(np.uint8)}
