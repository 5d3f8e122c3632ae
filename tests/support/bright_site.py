"""A site's own pipeline with a site's own SavedModel: what the README shows, whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dicom_node.pipeline import (
    BareNetwork,
    Code,
    Found,
    Model,
    Pipeline,
    Segment,
    Segmentation,
    Stack,
    Volume,
    Weights,
)

STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
BRIGHT = Segment(1, "bright", STRUCTURE, Code("BRIGHT", "99SITE", "Bright"), (220, 220, 90))


class BrightStage:
    """The volume goes in as it is."""

    def __init__(self, network: BareNetwork) -> None:
        self.network = network

    def prepare(self, image: Volume, previous: Found | None) -> NDArray[np.float32]:  # noqa: ARG002  # the only stage
        return image.array[None]

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.network(batch)

    def finish(self, output: NDArray[np.float32], _image: Any) -> Found:
        return (Segmentation(output[0].astype(np.uint8), (BRIGHT,)),)


class Bright(Pipeline):
    """Marks what a SavedModel calls bright."""

    name: ClassVar[str] = "bright"
    version: ClassVar[str] = "1"
    title: ClassVar[str] = "Bright"
    takes = Volume

    def refuse(self, stack: Stack) -> str | None:
        return None if stack.text("kind") == "volume" else "not a volume"

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:  # noqa: ARG002  # TensorFlow has it
        return Model([BrightStage(weights[""].network)])
