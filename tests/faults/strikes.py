"""The faults: each strikes when its block is entered, lasts while it is open, and is over when it is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

import pytest

from dicom_node.status import retry_deliveries
from tests.faults import databases
from tests.faults.archive import Mood
from tests.faults.house import House, Part
from tests.faults.sending import Modality

_LOCKED_S, _LOCKED_LONG_S = 2.0, 33.0  # the longer one is longer than anybody waits for a lock
_FULL_S = 2.0
_JUMP_S = 2 * 3600.0
_PEER_TRIED_S = 60.0
_ATTEMPTS = 2

Strike: TypeAlias = Callable[[House, Modality], AbstractContextManager[None]]
"""What happens while a series is held at a step; the block outlasts the step, until the fault is over."""


def kill(part: Part) -> Strike:
    """Kill -9 a part of the node."""
    return lambda house, _modality: _at_once(lambda: house.kill(part))


def peer(mood: Mood) -> Strike:
    """Let a peer misbehave until it was tried in vain, more than once."""

    @contextmanager
    def strike(house: House, modality: Modality) -> Iterator[None]:
        house.archive.set_mood(mood)
        try:
            yield
            wanted = 1 if mood == "refusing for good" else _ATTEMPTS
            house.wait(
                lambda: house.attempts("archive") >= wanted,
                _PEER_TRIED_S,
                f"{wanted} attempts at a peer that is {mood}",
            )
        finally:
            house.archive.set_mood("well")
        if mood == "refusing for good":
            house.wait(lambda: house.settled(len(modality.images)), _PEER_TRIED_S, "the results to be parked")
            retry_deliveries(house.node.catalog)  # what a person does by `dicom-node retry`

    return strike


@contextmanager
def full_disk(house: House, _modality: Modality) -> Iterator[None]:
    """Fill the disk, and empty it again."""
    if not house.has_small_disk:
        pytest.skip("a small disk can only be mounted by root")
    with house.full_disk():
        yield
        time.sleep(_FULL_S)


def locked(seconds: float) -> Strike:
    """Hold both databases."""

    @contextmanager
    def strike(house: House, _modality: Modality) -> Iterator[None]:
        if house.catalog_is_held:  # by the step itself
            time.sleep(seconds)
            yield
            return
        with databases.locked(house.node.config):
            yield
            time.sleep(seconds)

    return strike


def jump(seconds: float) -> Strike:
    """Move the node's clock, and leave it where it is until the series has ended."""
    return lambda house, _modality: _at_once(lambda: house.move_clock(seconds))


@contextmanager
def _at_once(act: Callable[[], object]) -> Iterator[None]:
    act()
    yield


@contextmanager
def silence(house: House, modality: Modality) -> Iterator[None]:
    """Say nothing more on an association that stays open, until the half that came was looked at."""
    house.wait(lambda: house.has_stack(modality.study_uid), _PEER_TRIED_S, "half a series to be looked at")
    yield


@contextmanager
def abort(_house: House, modality: Modality) -> Iterator[None]:
    """End the association by A-ABORT."""
    modality.abort()
    yield


_PARTS: tuple[Part, ...] = ("receiver", "registrar", "worker", "supervisor", "model")
_MOODS: tuple[Mood, ...] = ("down", "refusing", "refusing for good", "out of resources", "aborting", "silent")

STRIKES: Mapping[str, Strike] = {
    **{f"kill -9 of the {part}": kill(part) for part in _PARTS},
    **{f"PACS {mood}": peer(mood) for mood in _MOODS},
    "disk full": full_disk,
    "databases locked": locked(_LOCKED_S),
    "databases locked for long": locked(_LOCKED_LONG_S),
    "clock jumps 2 h ahead": jump(_JUMP_S),
    "clock jumps 2 h back": jump(-_JUMP_S),
    "half a series, then silence": silence,
    "association aborted": abort,
}
