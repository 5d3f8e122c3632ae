"""What training needs to know of a recipe beyond what inference does: one small object."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dicom_node.datasets import TrueBox
from pipelines.training.loop import Batch, Loss

Random: TypeAlias = np.random.Generator
Arrays: TypeAlias = tuple[NDArray[Any], ...]
"""One sample as the loss takes it: what goes into the network, then what should come out."""
Label: TypeAlias = NDArray[np.uint8] | str | tuple[TrueBox, ...]
"""What is true of an image: a mask's values (slices, rows, columns), a class, or boxes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """How one recipe is trained; its network, preparation and findings are those of inference."""

    pipeline: str
    recipe: str
    network: Callable[[], nn.Module]
    samples: Callable[[Any, Any], Iterable[Any]]  # image and label -> one or several samples, prepared but for chance
    draw: Callable[[Any, Random], Arrays]  # a sample, changed by chance
    loss: Loss
    head: tuple[str, ...]  # the modules that make the answer from the features
    kept: tuple[str, ...] = ()  # modules that stay as they are where training goes on from an entry
    epochs: int = 60
    batch: int = 8
    rate: float = 2e-3  # peak learning rate
    average: float = 0.99
    draws: int = 1  # of each sample in an epoch
    balance: Callable[[Any], Hashable] = lambda _: None  # samples of every value are drawn equally often
    classes: tuple[str, ...] = ()  # of a mask's pixel values 1, 2 ..., for the card
    ignore: int | None = None  # the pixel value of what is not known
    published: bool = False  # MI2RLNet's: only ever trained from imported weights, kept in full precision


class Epochs:
    """A task's samples as batches, the same for the same seed and epoch."""

    def __init__(self, task: Task, samples: Sequence[Any], seed: int) -> None:
        self.task, self.samples, self.seed = task, samples, seed
        self.batch = min(task.batch, len(samples))
        self.steps = len(samples) * task.draws // self.batch
        groups: defaultdict[Hashable, list[int]] = defaultdict(list)
        for index, sample in enumerate(samples):
            groups[task.balance(sample)].append(index)
        self.groups = list(groups.values())

    def __call__(self, epoch: int) -> Iterator[Batch]:
        """Yield one epoch's batches."""
        random = np.random.default_rng((self.seed, epoch))
        order = self._order(random)
        for start in range(0, self.steps * self.batch, self.batch):
            drawn = [self.task.draw(self.samples[index], random) for index in order[start : start + self.batch]]
            yield tuple(torch.from_numpy(np.stack(column)) for column in zip(*drawn, strict=True))

    def _order(self, random: Random) -> list[int]:
        """Return indices: every sample equally often, or where there are several groups every group."""
        count = self.steps * self.batch
        each = -(-count // len(self.groups))
        rounds = [
            np.concatenate([random.permutation(group) for _ in range(-(-each // len(group)))])[:each]
            for group in self.groups
        ]
        mixed = np.stack(rounds, axis=1).ravel()[:count]
        return [int(index) for index in mixed]
