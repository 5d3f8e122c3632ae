"""Every attack by name, as the measurement beside good senders and the fuzzer use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tests.faults.hostile import slow_patterns, trickling, wide_headers
from tests.faults.hostile.beside import Attack, throw
from tests.faults.sending import CALLED
from tests.support.malformed import Wire

_BURST = 8  # connections of one kind that are made before an attack begins

THROWN: Mapping[str, tuple[str, Callable[[str], Wire]]] = {
    "wide, deflated": (
        "12 kB that inflate to a million empty items ahead of the UIDs",
        wide_headers.empty_items_deflated,
    ),
    "wide, behind": ("the same behind the UIDs", wide_headers.items_behind_the_uids_deflated),
    "nested": ("100,000 sequences within sequences, deflated", wide_headers.nested),
    "slow pattern": (
        "a SeriesDescription of 100 kB that begins a match 16,000 times",
        slow_patterns.started_again_and_again,
    ),
    "many values": ("a SeriesDescription of 20,000 values", slow_patterns.many_values),
}
"""Attacks that are connections with an end: name -> what it is, and what makes one given our AE title."""

HELD: Mapping[str, tuple[str, trickling.Kind]] = {
    "trickle: request": ("60 sockets of 60 AE titles, a byte of the request every 9 s", "request"),
    "trickle: PDU": ("the same, a byte of one P-DATA-TF every 9 s", "pdu"),
    "trickle: message": ("the same, a PDU of one endless message every 9 s", "message"),
    "idle": ("60 associations of 60 AE titles that say nothing", "idle"),
    "echo": ("60 associations of 60 AE titles that say C-ECHO every 9 s", "echo"),
}
"""Attacks that hold connections: name -> what it is, and its kind."""


def attacks() -> Sequence[Attack]:
    """Return every attack, those with the most connections last."""
    thrown = [Attack(name, says, throw(partial(_burst, make))) for name, (says, make) in THROWN.items()]
    return [*thrown, *(Attack(name, says, trickling.trickle(kind)) for name, (says, kind) in HELD.items())]


def _burst(make: Callable[[str], Wire]) -> list[Wire]:
    return [make(CALLED) for _ in range(_BURST)]
