"""One training loop for all starter weights: seeded, resumable, averaged."""

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

log = logging.getLogger(__name__)

Batch: TypeAlias = tuple[Tensor, ...]
Batches: TypeAlias = Callable[[int], Iterator[Batch]]
"""Epoch -> its batches; the epoch seeds the augmentation, so that a resumed run sees what an unbroken one would."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train."""

    out: Path  # folder of the checkpoint and the weights
    epochs: int
    steps: int  # per epoch
    rate: float = 2e-3  # peak learning rate of AdamW
    decay: float = 1e-2
    average: float = 0.99  # of the exponential moving average, per step
    seed: int = 20261123


def fit(network: nn.Module, batches: Batches, loss: Callable[[nn.Module, Batch], Tensor], plan: Plan) -> nn.Module:
    """Train, or go on from `plan.out/checkpoint.pt`; return the averaged network in evaluation mode."""
    ema = get_ema_multi_avg_fn(plan.average)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(network, multi_avg_fn=ema, use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=plan.rate, total_steps=plan.epochs * plan.steps + 1, pct_start=0.15
    )
    parts: dict[str, Any] = {"network": network, "averaged": averaged, "optimiser": optimiser, "schedule": schedule}
    plan.out.mkdir(parents=True, exist_ok=True)
    path = plan.out / "checkpoint.pt"
    start = 0
    if path.is_file():
        stored = torch.load(path, weights_only=True)
        start = int(stored.pop("epoch"))
        for name, state in stored.items():
            parts[name].load_state_dict(state)
    for epoch in range(start, plan.epochs):
        network.train()
        began, total = time.monotonic(), 0.0
        for batch in batches(epoch):
            value = loss(network, batch)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            total += value.item()
        log.info(
            "epoch %d of %d: loss %.4f, %.0f s", epoch + 1, plan.epochs, total / plan.steps, time.monotonic() - began
        )
        part = path.with_suffix(".part")
        torch.save({"epoch": epoch + 1, **{name: one.state_dict() for name, one in parts.items()}}, part)
        part.replace(path)
    trained: nn.Module = averaged.module
    return trained.eval()


def export(network: nn.Module, path: Path) -> str:
    """Write the tensors in half precision as safetensors; return the file's SHA-256.

    Batch normalisation's step counter is left out: inference does not read it.
    """
    tensors = {
        name: tensor.detach().half().contiguous()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return sha256_of(path)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 as the catalogue writes it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
