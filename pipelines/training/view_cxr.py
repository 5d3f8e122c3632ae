"""How the compact network learns the view of a radiograph: pictures labelled frontal, lateral or other.

The starter weights saw made laterals (`made_views`), for want of licensed ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dicom_node.errors import ObjectError
from dicom_node.images import Radiograph
from pipelines.networks.classifier import CompactClassifier
from pipelines.pictures import standardised
from pipelines.training.losses import class_loss
from pipelines.training.segmenting import Sample, Turns, scanned, turned
from pipelines.training.task import Arrays, Random, Task
from pipelines.view_cxr import VIEWS, WIDTHS, pressed

TURNS: Final = Turns(12, (0.9, 1.3), 0.2, 0.08, mirror=0.5)


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """One radiograph in the network's square."""

    picture: NDArray[np.uint8]  # (size, size)
    view: str


def samples(image: Radiograph, label: str) -> Iterator[Seen]:
    """Press a radiograph into the square."""
    if label not in VIEWS:
        raise ObjectError(image.stack.series_uid, f"has the label {label!r}; there are {', '.join(VIEWS)}")
    yield Seen(pressed(image.picture), label)


def draw(sample: Seen, random: Random) -> Arrays:
    """Return a changed copy and its class."""
    changed = turned(Sample(sample.picture, sample.picture), TURNS, random).picture
    shown = np.asarray(scanned(changed, random) * 255, np.uint8)
    return standardised(shown)[None], np.asarray(VIEWS.index(sample.view), np.int64)


SMALL = Task(
    pipeline="view_cxr",
    recipe="view-cxr-small",
    network=lambda: CompactClassifier(inputs=1, classes=len(VIEWS), widths=WIDTHS),
    samples=samples,
    draw=draw,
    loss=class_loss,
    head=("head",),
    epochs=30,
    batch=24,
    average=0.98,
    balance=lambda sample: sample.view,
)
