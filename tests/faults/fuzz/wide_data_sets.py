"""Data sets of many items, ahead of their UIDs or behind them, from a few to a million."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.faults.fuzz.inputs import Input, instance_of
from tests.faults.hostile import wide_headers
from tests.support.malformed import Wire

KIND = "wide data set"
_MAKERS: tuple[Callable[[str, int], Wire], ...] = (
    wide_headers.empty_items_deflated,
    wide_headers.referenced_items_deflated,
    wide_headers.delimited_items_deflated,
    wide_headers.items_behind_the_uids_deflated,
    wide_headers.frames_deflated,
    wide_headers.empty_items,
    wide_headers.implicit_items,
    wide_headers.nested,
)
_ITEMS = (1, 30, 33, 1000, 19_999, 20_001, 100_001, 500_001)


def make(random: Random, called: str) -> Input:
    """Return a CT slice with a sequence of many items, or of sequences within sequences."""
    wire = random.choice(_MAKERS)(called, random.choice(_ITEMS))
    return Input(KIND, wire, instance_of(wire))
