"""How the view of a chest radiograph is learnt: pictures labelled frontal, lateral or other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dicom_node.errors import ObjectError
from dicom_node.images import Radiograph
from pipelines.published.recipes import skeleton
from pipelines.published.view import CLASSES, prepared
from pipelines.training.augment import PICTURE, Chances
from pipelines.training.losses import probability_loss
from pipelines.training.task import Arrays, Random, Task
from pipelines.view_cxr import VALUES

CHANCES = Chances(degrees=10, scale=0.15, gamma=0.3, holes=0.3)
NUMBERS = {VALUES[name]: number for number, name in enumerate(CLASSES)}


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """One radiograph as ViewCls takes it."""

    picture: NDArray[np.float32]  # (1, 512, 512), 0 .. 255
    view: int


def published_samples(image: Radiograph, label: str) -> Iterator[Prepared]:
    """Scale a radiograph as ViewCls does."""
    if label not in NUMBERS:
        raise ObjectError(image.stack.series_uid, f"has the label {label!r}; there are {', '.join(NUMBERS)}")
    inverted = image.stack.text("PhotometricInterpretation") == "MONOCHROME1"
    yield Prepared(prepared(image.stored, inverted=inverted).transpose(2, 0, 1).astype(np.float32), NUMBERS[label])


def draw(sample: Prepared, random: Random) -> Arrays:
    """Return a changed copy and its class; the changes are made between 0 and 1."""
    blank = np.zeros(sample.picture.shape[1:], np.uint8)
    changed = CHANCES(sample.picture / np.float32(255), blank, random)
    return np.clip(changed[PICTURE], 0, 1) * np.float32(255), np.asarray(sample.view, np.int64)


PUBLISHED = Task(
    pipeline="view_cxr",
    recipe="ViewCls",
    network=lambda: skeleton("ViewCls").to_empty(device="cpu"),
    samples=published_samples,
    draw=draw,
    loss=probability_loss,
    head=("predictions", "final_layer"),
    epochs=20,
    batch=8,
    rate=1e-3,
    balance=lambda sample: sample.view,
    published=True,
)
