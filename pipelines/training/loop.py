"""One training loop: seeded, resumable after a kill, averaged, stopped early."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dicom_node.errors import WeightsError

log = logging.getLogger(__name__)

Batch: TypeAlias = tuple[Tensor, ...]
Batches: TypeAlias = Callable[[int], Iterator[Batch]]
"""Epoch -> its batches; the epoch seeds the augmentation, so that a resumed run sees what an unbroken one would."""
Loss: TypeAlias = Callable[[nn.Module, Batch], Tensor]
Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]
Step: TypeAlias = Callable[[int, float], None]
"""Called after each step with the epoch and the loss."""

CHECKPOINT = "checkpoint.pt"


@dataclasses.dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on."""

    score: Callable[[nn.Module], float] | None = None  # of the averaged network after each epoch, the larger the better
    step: Step = lambda _epoch, _loss: None


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train."""

    out: Path  # folder of the checkpoint and the weights
    epochs: int
    steps: int  # per epoch
    rate: float = 2e-3  # peak learning rate of AdamW
    decay: float = 1e-2
    average: float = 0.99  # of the exponential moving average, per step; less in the first steps
    seed: int = 20261123
    patience: int = 0  # epochs without a better score after which to stop; 0 never stops
    about: str = ""  # what else must be the same for a checkpoint to be gone on from

    @property
    def mark(self) -> str:
        """What a checkpoint carries to be told from another plan's."""
        return repr(dataclasses.replace(self, out=Path()))


NOBODY = Watch()


def fit(
    network: nn.Module,
    batches: Batches,
    loss: Loss,
    plan: Plan,
    watch: Watch = NOBODY,
) -> nn.Module:
    """Train, or go on from `plan.out`/checkpoint.pt; return the averaged network in evaluation mode.

    Args:
        network: on its device; parameters that do not require a gradient stay as they are, and so do the running
            statistics of layers that have no others.
        batches: what is trained on.
        loss: to make small.
        plan: how long and how fast.
        watch: who is told of each step, and judges each epoch; the best epoch's network is returned.

    Raises:
        WeightsError: the checkpoint there is of another training.
    """
    run = _Run(network, plan)
    run.resume()
    while run.epoch < plan.epochs and not run.stale:
        began = time.monotonic()
        total = run.train_epoch(batches, loss, watch.step)
        judged = "not judged"
        if watch.score is not None:
            run.judge(watch.score(run.averaged.module.eval()))
            judged = f"score {run.last:.4f}"
        run.epoch += 1
        run.save()
        spent = time.monotonic() - began
        log.info("epoch %d of %d: loss %.4f, %s, %.0f s", run.epoch, plan.epochs, total, judged, spent)
    return run.result()


class _Run:
    """A training's state: everything that a checkpoint holds."""

    def __init__(self, network: nn.Module, plan: Plan) -> None:
        self.network, self.plan = network, plan
        self.averaged = AveragedModel(network, multi_avg_fn=_warm_average(plan.average), use_buffers=True)
        self.trained = [one for one in network.parameters() if one.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trained, lr=plan.rate, weight_decay=plan.decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, max_lr=plan.rate, total_steps=plan.epochs * plan.steps + 1, pct_start=0.15
        )
        self.epoch = 0
        self.last = self.best_score = float("-inf")
        self.best: dict[str, Tensor] = {}
        self.since_best = 0

    @property
    def stale(self) -> bool:
        """Whether the score has not risen for too long."""
        return 0 < self.plan.patience <= self.since_best

    def _parts(self) -> dict[str, Any]:
        names = ("network", "averaged", "optimiser", "schedule")
        return {name: getattr(self, name) for name in names}

    def train_epoch(self, batches: Batches, loss: Loss, step: Step) -> float:
        """Return the mean loss of one epoch's steps."""
        torch.manual_seed(self.plan.seed + self.epoch)  # dropout: the same whether or not the run was broken
        train_mode(self.network)
        device = self.trained[0].device
        total = 0.0
        for batch in batches(self.epoch):
            value = loss(self.network, tuple(part.to(device) for part in batch))
            self.optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.trained, 5.0)
            self.optimiser.step()
            self.schedule.step()
            self.averaged.update_parameters(self.network)
            total += value.item()
            step(self.epoch, value.item())
        return total / self.plan.steps

    def judge(self, score: float) -> None:
        """Keep the averaged network if it is the best so far."""
        self.last = score
        self.since_best += 1
        if score > self.best_score:
            self.best_score, self.since_best = score, 0
            self.best = {name: one.detach().clone() for name, one in self.averaged.module.state_dict().items()}

    def save(self) -> None:
        """Write the checkpoint by rename."""
        self.plan.out.mkdir(parents=True, exist_ok=True)
        numbers = {name: getattr(self, name) for name in ("epoch", "last", "best_score", "best", "since_best")}
        states = {name: part.state_dict() for name, part in self._parts().items()}
        path = self.plan.out / CHECKPOINT
        part = path.with_suffix(".part")
        torch.save({"mark": self.plan.mark, "numbers": numbers, "states": states}, part)
        part.replace(path)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        path = self.plan.out / CHECKPOINT
        if not path.is_file():
            return
        stored = torch.load(path, weights_only=True, map_location=self.trained[0].device)
        if stored["mark"] != self.plan.mark:
            raise WeightsError(
                f"{path} is of a training with other data or settings; choose another folder or remove it"
            )
        for name, part in self._parts().items():
            part.load_state_dict(stored["states"][name])
        for name, value in stored["numbers"].items():
            setattr(self, name, value)

    def result(self) -> nn.Module:
        """Return the best network, or the last where nothing was scored."""
        trained: nn.Module = self.averaged.module
        if self.best:
            trained.load_state_dict(self.best)
        return trained.eval()


def _warm_average(most: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Average over few steps while there are few: the network that training began with must not linger."""

    def average(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
        keep = min(most, (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(keep)(averaged, current, count)  # type: ignore[no-untyped-call]

    return average


def freeze(network: nn.Module, trained: tuple[str, ...] = (), kept: tuple[str, ...] = ()) -> None:
    """Let only the parameters of the parts `trained` be trained; no names: all but those of the parts `kept`."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(_within(name, trained) if trained else not _within(name, kept))


def _within(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def train_mode(network: nn.Module) -> None:
    """Put a network in training mode, its frozen parts in evaluation mode: their statistics must not drift."""
    network.train()
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(one.requires_grad for one in parameters):
            module.eval()


def export(network: nn.Module, path: Path, *, half: bool = True) -> str:
    """Write the tensors as safetensors, in half precision unless told otherwise; return the file's SHA-256.

    Batch normalisation's step counter is left out: inference does not read it.
    """
    tensors = {
        name: (tensor.detach().half() if half else tensor.detach().float()).cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return sha256_of(path)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 as the catalogue writes it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
