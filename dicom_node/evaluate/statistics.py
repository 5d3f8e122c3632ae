"""Figures with their uncertainty."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One measured number with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int  # images that it is about

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def bootstrap(
    values: Sequence[Any], statistic: Callable[[Sequence[Any]], float], groups: Sequence[str], repeats: int = 2000
) -> tuple[float, float, float]:
    """Return the statistic with its 95 % interval; whole groups (patients) are drawn, not single images."""
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    blocks = list(members.values())
    random = np.random.default_rng(0)
    draws = []
    for _ in range(repeats):
        chosen = [index for block in random.integers(len(blocks), size=len(blocks)) for index in blocks[block]]
        draws.append(statistic([values[index] for index in chosen]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a statistic that no draw defines has no interval: NaN
        low, high = np.nanpercentile(draws, [2.5, 97.5])
    return statistic(values), float(low), float(high)


def figure(
    values: Sequence[Any], patients: Sequence[str], statistic: Callable[[Sequence[Any]], float] | None = None
) -> Figure:
    """Return a statistic (the mean) over cases with its interval over patients."""
    return Figure(*bootstrap(values, statistic or _mean, patients), len(values))


def mean_figure(values: Sequence[float], patients: Sequence[str]) -> Figure | None:
    """Return the mean of the numbers that are there (not NaN); None where none is."""
    known = [(value, patient) for value, patient in zip(values, patients, strict=True) if np.isfinite(value)]
    return figure([value for value, _ in known], [patient for _, patient in known]) if known else None


def _mean(values: Sequence[Any]) -> float:
    return float(np.mean(values))
