"""How L and R marks are learnt: radiographs with boxes, on which further marks are drawn.

A box labelled "?" is neither L nor R: a cut letter, a word, a mirrored mark.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dicom_node.datasets import TrueBox
from dicom_node.images import Radiograph
from pipelines.lr_mark_cxr import MarkFinder
from pipelines.networks.detector import CentreDetector
from pipelines.pictures import levels, stretched
from pipelines.training.distractors import draw_distractor
from pipelines.training.loop import Batch
from pipelines.training.losses import answer
from pipelines.training.marks import SIDES, Drawn, blend, draw_mark
from pipelines.training.task import Arrays, Random, Task

SIZE: Final = MarkFinder.size
CROP = 256
VISIBLE = 25  # grey levels by which a drawn sign must differ from what it covers
STRIDE: Final = CentreDetector.stride


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """A box in pixels; side is an index into SIDES, or None where nothing is taught."""

    side: int | None
    x1: float
    y1: float
    x2: float
    y2: float

    def moved(self, scale: float, x: float, y: float) -> Label:
        """Return the box scaled, then shifted."""
        return Label(self.side, self.x1 * scale + x, self.y1 * scale + y, self.x2 * scale + x, self.y2 * scale + y)

    def meets(self, other: Label, gap: float = 4.0) -> bool:
        """Tell whether the two boxes overlap or nearly touch."""
        apart = self.x1 > other.x2 + gap or other.x1 > self.x2 + gap
        return not (apart or self.y1 > other.y2 + gap or other.y1 > self.y2 + gap)


@dataclasses.dataclass(frozen=True, slots=True)
class Background:
    """A radiograph at its own resolution, with the real marks on it."""

    picture: NDArray[np.uint8]
    labels: tuple[Label, ...]
    low: float
    high: float


def backgrounds(image: Radiograph, boxes: Sequence[TrueBox]) -> Iterator[Background]:
    """Return a radiograph with its marks."""
    labels = [
        Label(SIDES.index(one.label) if one.label in SIDES else None, one.x1, one.y1, one.x2, one.y2) for one in boxes
    ]
    yield Background(image.picture, tuple(labels), *levels(image.picture))


def draw_sample(source: Background, random: np.random.Generator) -> tuple[NDArray[np.float32], list[Label]]:
    """Return a standardised crop, (CROP, CROP), of the radiograph with drawn signs, and every box in it."""
    picture, labels = _crop(source, random)
    gamma = float(np.exp(random.uniform(-0.4, 0.4)))
    low, high = (255 * (level / 255) ** gamma + random.normal(0, 4) for level in (source.low, source.high))
    picture = np.asarray(255 * (picture / 255) ** gamma, np.uint8)
    others: list[Label] = []
    for _ in range(int(random.integers(0, 6))):
        height = float(np.exp(random.uniform(np.log(7), np.log(64))))
        side = int(random.integers(2)) if random.random() < 0.5 else None
        drawn = draw_distractor(min(height, 40), random) if side is None else draw_mark(SIDES[side], height, random)
        placed = place(picture, [*labels, *others], side, drawn, random)
        (others if side is None else labels).extend(placed)
    grainy = picture + random.normal(0, random.uniform(0, 6), picture.shape)
    return stretched(np.clip(grainy, 0, 255).astype(np.uint8), low, max(high, low + 20)), labels


def with_drawn_mark(source: Background, random: Random) -> tuple[NDArray[np.uint8], list[Label]]:
    """Return a copy of the whole radiograph with one L or R, and where it is; beside it stands one thing that is none.

    Both are drawn clear of what is there already; a mark that would not be seen is left out.
    """
    picture = source.picture.copy()
    scale = max(picture.shape) / SIZE
    side = int(random.integers(2))
    height = scale * float(np.exp(random.uniform(np.log(12), np.log(64))))
    marks = place(picture, source.labels, side, draw_mark(SIDES[side], height, random), random)
    other = draw_distractor(scale * float(random.uniform(10, 40)), random)
    place(picture, [*source.labels, *marks], None, other, random)
    return picture, marks


def _crop(source: Background, random: np.random.Generator) -> tuple[NDArray[np.uint8], list[Label]]:
    """Cut a random square at a random scale around the network's, often with a real mark inside."""
    rows, columns = source.picture.shape
    scale = SIZE / max(rows, columns) * float(np.exp(random.uniform(-0.45, 0.45)))
    real = [one for one in source.labels if one.side is not None]
    if real and random.random() < 0.6:
        mark = real[int(random.integers(len(real)))]
        x = (mark.x1 + mark.x2) / 2 * scale - CROP * random.uniform(0.1, 0.9)
        y = (mark.y1 + mark.y2) / 2 * scale - CROP * random.uniform(0.1, 0.9)
    else:
        x, y = (random.uniform(-0.15 * CROP, max(side * scale - 0.85 * CROP, 1.0)) for side in (columns, rows))
    move = np.array([[scale, 0, -x], [0, scale, -y]], np.float32)
    smooth = cv2.GaussianBlur(source.picture, (0, 0), 0.5 / scale) if scale < 0.8 else source.picture
    picture = np.asarray(cv2.warpAffine(smooth, move, (CROP, CROP), flags=cv2.INTER_LINEAR), np.uint8)
    return picture, [_visible(one.moved(scale, -x, -y)) for one in source.labels if _inside(one.moved(scale, -x, -y))]


def _inside(label: Label) -> bool:
    return label.x2 > 0 and label.y2 > 0 and label.x1 < CROP and label.y1 < CROP


def _visible(label: Label) -> Label:
    """Cut a box to the crop; of a mark less than two thirds visible nothing is taught."""
    cut = Label(label.side, max(label.x1, 0), max(label.y1, 0), min(label.x2, CROP), min(label.y2, CROP))
    whole = (label.x2 - label.x1) * (label.y2 - label.y1)
    if (cut.x2 - cut.x1) * (cut.y2 - cut.y1) < 0.67 * whole:
        return dataclasses.replace(cut, side=None)
    return cut


def place(
    picture: NDArray[np.uint8], taken: Sequence[Label], side: int | None, drawn: Drawn, random: np.random.Generator
) -> list[Label]:
    """Burn a sign into the picture where it meets no other and can be seen; return its box, or none if it cannot."""
    rows, columns = picture.shape
    for _ in range(10):
        x = int(random.integers(-int(drawn.box[0]), max(columns - int(drawn.box[0]), 1)))
        y = int(random.integers(-int(drawn.box[1]), max(rows - int(drawn.box[1]), 1)))
        box = Label(side, *drawn.box).moved(1.0, x, y)
        whole = box.x1 >= 0 and box.y1 >= 0 and box.x2 <= columns and box.y2 <= rows
        if not whole or any(box.meets(other) for other in taken):
            continue
        before = picture.copy()
        blend(picture, drawn, x, y, random)
        inside = np.s_[int(box.y1) : int(box.y2) + 1, int(box.x1) : int(box.x2) + 1]
        if np.percentile(cv2.absdiff(picture[inside], before[inside]), 85) > VISIBLE:
            return [box]
        picture[:] = before
    return []


def targets(labels: Sequence[Label]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return heat (classes, n, n), box edges (4, n, n) in cells, 0 where none, and known (n, n)."""
    cells = CROP // STRIDE
    heat = np.zeros((len(SIDES), cells, cells), np.float32)
    edges = np.zeros((4, cells, cells), np.float32)
    known = np.ones((cells, cells), np.float32)
    middle = np.arange(cells) + 0.5
    for label in labels:
        x1, y1, x2, y2 = (edge / STRIDE for edge in (label.x1, label.y1, label.x2, label.y2))
        if label.side is None:
            known[max(0, int(y1)) : int(np.ceil(y2)), max(0, int(x1)) : int(np.ceil(x2))] = 0
            continue
        spread = max(0.5, min(x2 - x1, y2 - y1) / 6)
        column, row = min(int((x1 + x2) / 2), cells - 1), min(int((y1 + y2) / 2), cells - 1)
        away = ((middle - column - 0.5) ** 2)[None] + ((middle - row - 0.5) ** 2)[:, None]
        heat[label.side] = np.maximum(heat[label.side], np.exp(-away / (2 * spread**2)))
        for r, c in ((row, column), (row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= r < cells and 0 <= c < cells:
                reach = np.array([c + 0.5 - x1, r + 0.5 - y1, x2 - c - 0.5, y2 - r - 0.5])
                if (reach > 0).all():
                    edges[:, r, c] = reach
    return heat, edges, known


def draw(source: Background, random: Random) -> Arrays:
    """Return a crop (1, h, w), and heat, edges and known (1, n, n) as `targets` gives them."""
    crop, labels = draw_sample(source, random)
    heat, edges, known = targets(labels)
    return crop[None], heat, edges, known[None]


def loss(network: nn.Module, batch: Batch) -> Tensor:
    """Focal loss on the heat, and 1 - intersection over union of the boxes at and beside each centre."""
    crops, heat, edges, known = batch
    maps = answer(network, crops)
    return focal(maps[:, : len(SIDES)], heat, known) + box_loss(maps[:, len(SIDES) :], edges)


def focal(logits: Tensor, heat: Tensor, known: Tensor) -> Tensor:
    """Penalty-reduced focal loss per centre, as for centre points: cells near a centre count less as negatives."""
    probability = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
    centre = (heat == 1).float()
    positive = centre * (1 - probability) ** 2 * functional.logsigmoid(logits)
    negative = (1 - centre) * (1 - heat) ** 4 * probability**2 * functional.logsigmoid(-logits)
    return -((positive + negative) * known).sum() / centre.sum().clamp(min=1)


def box_loss(logs: Tensor, edges: Tensor) -> Tensor:
    """1 - IoU of boxes around the same point, mean over the cells that have one."""
    taught = edges[:, 0] > 0
    if not taught.any():
        return logs.sum() * 0
    found = logs.movedim(1, -1)[taught].clamp(-4, 5).exp()
    truth = edges.movedim(1, -1)[taught]
    inner = torch.minimum(found, truth)
    shared = (inner[:, 0] + inner[:, 2]) * (inner[:, 1] + inner[:, 3])
    areas = [(one[:, 0] + one[:, 2]) * (one[:, 1] + one[:, 3]) for one in (found, truth)]
    return (1 - shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)).mean()


SMALL = Task(
    pipeline="lr_mark_cxr",
    recipe="lr-mark-small",
    network=lambda: CentreDetector(1, len(SIDES)),
    samples=backgrounds,
    draw=draw,
    loss=loss,
    head=("head",),
    epochs=60,
    batch=12,
    average=0.995,
    draws=3,
    balance=lambda source: any(one.side is not None for one in source.labels),
)
