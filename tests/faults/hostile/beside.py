"""What good senders notice of an attack: the same push with and without it, in turns, on one node."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.managers import ListProxy
from pathlib import Path
from typing import TypeAlias

from dicom_node.catalog import StackState
from tests.faults import processes
from tests.faults.house import House, Part
from tests.faults.sending import Modality
from tests.support.dicom import series
from tests.support.malformed import Wire, attack

PARTS: tuple[Part, ...] = ("receiver", "registrar", "worker", "model")
_PROCESSES = multiprocessing.get_context("fork")  # what the attackers say need not be copied
_IMAGES = 50
_ANSWER_S = 300.0  # an attacker listens so long
_PATIENCE_S = 120.0
_SLICES = 3
_END_S = 900.0

Strike: TypeAlias = Callable[[int, list[float]], AbstractContextManager[None]]
"""Given the node's port and a list that takes the seconds until each answer, attacks while the context is open."""


@dataclass(frozen=True)
class Attack:
    """An attack by name, with what it is in words."""

    name: str
    says: str
    strike: Strike


@dataclass
class Figures:
    """What paired rounds beside one attack showed; times in seconds."""

    quiet: list[float] = field(default_factory=list)  # 95th percentile of the answers to 50 good C-STOREs, per round
    beside: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)  # until the attacker's connections were answered or closed
    peak_mb: dict[Part, float] = field(default_factory=dict)
    lost: int = 0
    ends_quiet: list[float] = field(default_factory=list)  # from the last answer to a series until its result is there
    ends_beside: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Return beside / quiet of each round, in increasing order."""
        return sorted(beside / quiet for quiet, beside in zip(self.quiet, self.beside, strict=True))


def throw(wires: Callable[[], Sequence[Wire]], attackers: int = 2) -> Strike:
    """Return a strike that opens these connections again and again, at most `attackers` of them at a time.

    Each attacker is a process, as the good sender must not wait for the attackers' own work.
    """

    @contextmanager
    def strike(port: int, answers: list[float]) -> Iterator[None]:
        thrown = list(wires())
        with _PROCESSES.Manager() as manager:
            ended, taken = manager.Event(), manager.list()
            strikers = [
                _PROCESSES.Process(target=_throw, args=(port, thrown[first::attackers], taken, ended), daemon=True)
                for first in range(attackers)
            ]
            for striker in strikers:
                striker.start()
            try:
                yield
            finally:
                ended.set()
                for striker in strikers:
                    striker.join(_ANSWER_S)
                answers += taken

    return strike


def _throw(port: int, wires: Sequence[Wire], answers: ListProxy[float], ended: threading.Event) -> None:
    while wires:
        for wire in wires:
            began = time.monotonic()
            attack(port, wire, _ANSWER_S)
            answers.append(time.monotonic() - began)
            if ended.is_set():
                return


def measure(house: House, struck: Attack, rounds: int) -> Figures:
    """Push 50 images without and beside the attack, in turns, so many rounds."""
    figures = Figures()
    sent: list[Modality] = []
    for _ in range(rounds):
        sent.append(_push(house))
        figures.quiet.append(percentile_95(sent[-1].seconds))
        figures.ends_quiet.append(_seconds_to_end(house))
        _forget_peaks(house)
        with struck.strike(house.port, figures.answers):
            sent.append(_push(house))
            figures.ends_beside.append(_seconds_to_end(house))
        figures.beside.append(percentile_95(sent[-1].seconds))
        for part in PARTS:
            figures.peak_mb[part] = max(figures.peak_mb.get(part, 0.0), *map(processes.peak_mb, house.pids(part)), 0.0)
    acknowledged = set().union(*(modality.acknowledged for modality in sent))
    house.wait(lambda: acknowledged <= house.node.instances(), _PATIENCE_S, "good images to be registered", every_s=0.2)
    figures.lost = len(acknowledged - house.node.instances())
    return figures


def percentile_95(seconds: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return sorted(seconds)[int(0.95 * (len(seconds) - 1))]


def _push(house: House) -> Modality:
    modality = Modality(house.port, series(_IMAGES))
    modality.send_all(_PATIENCE_S)
    return modality


def _seconds_to_end(house: House) -> float:
    """Return how long a series of three slices, of a study of today, waits for its result."""
    images = series(_SLICES)
    for image in images:
        image.StudyDate = f"{datetime.now(UTC):%Y%m%d}"
    modality = Modality(house.port, images)
    modality.send_all(_PATIENCE_S)
    began = time.monotonic()
    house.wait(lambda: modality.study_uid in _delivered(house), _END_S, "a series beside an attack to end", every_s=0.1)
    return time.monotonic() - began


def _delivered(house: House) -> set[str]:
    """Return the studies of which something was delivered."""
    return {stack.study_uid for stack in house.node.stacks() if stack.state == StackState.DELIVERED}


def _forget_peaks(house: House) -> None:
    for part in PARTS:
        for pid in house.pids(part):
            Path(f"/proc/{pid}/clear_refs").write_text("5")
