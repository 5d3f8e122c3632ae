"""Recipe EnhanceCls: is one chest CT slice contrast-enhanced?"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.pipeline import Found, RefusalError, Volume
from pipelines.published.runner import Floats, Network
from pipelines.published.stages import ArrayStage, Batch, Output, Tell

SIZE = 256
CLASSES = ("non-enhanced", "enhanced")
_OUTSIDE = -2000  # stored by some scanners outside the scan circle
_USUAL_INTERCEPT = -1024.0


def prepared(hu: NDArray[np.float32], intercept: float) -> Floats:
    """(rows, columns) HU -> (256, 256, 2): a narrow scale clipped to 0 .. 1, and a wide one that is not clipped.

    The narrow scale divides by 2024, not by a window's width; the value for "outside the scan circle" is replaced in
    the wide scale only, by stored 0, that is by the intercept in HU. Both are as the weights were trained.
    """
    hu = hu.astype(np.float32)
    narrow = np.clip((hu - 100) / np.float32(2024), 0, 1)
    inside = np.where(hu - np.float32(intercept) == _OUTSIDE, np.float32(intercept), hu)
    wide = (inside + 1024) / np.float32(4096)
    squares = [cv2.resize(one, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for one in (narrow, wide)]
    return np.asarray(np.stack(squares, -1), np.float32)


class EnhanceStage(ArrayStage):
    """Slices at even distances, each judged alone; the result is their probabilities (n, 2) in order of CLASSES."""

    def __init__(self, network: Network, tell: Tell, slices: int = 9) -> None:
        super().__init__(network, tell)
        self.slices = slices

    def prepare(self, image: Volume, previous: Found | None) -> Batch:  # noqa: ARG002  # the only stage
        """Pick and scale the slices: one input (n, 256, 256, 2)."""
        array = image.oriented("SPL").array
        if not len(array):
            raise RefusalError("the volume has no slices")
        middles = (np.arange(self.slices) + 0.5) / self.slices * len(array)
        chosen = np.unique(np.clip(middles.astype(int), 0, len(array) - 1))
        stated = image.stack.number("RescaleIntercept")
        intercept = _USUAL_INTERCEPT if stated is None else stated
        return Batch((np.stack([prepared(array[k], intercept) for k in chosen]),))

    def finish(self, output: Output, image: Volume) -> Found:
        """Hand over the probabilities."""
        return self.tell(output.outputs[0], image)
