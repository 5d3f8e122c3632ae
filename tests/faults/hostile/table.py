"""Every attack by name, as the measurement beside good senders and the fuzzer use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tests.faults.hostile import forged_reports, pixel_bombs, slow_patterns, trickling, wide_headers
from tests.faults.hostile.beside import Attack, throw
from tests.faults.sending import CALLED
from tests.support.malformed import Wire

_BURST = 8  # connections of one kind that are made before an attack begins


def _again(make: Callable[[str], Wire]) -> Callable[[str], Sequence[Wire]]:
    return lambda called: [make(called) for _ in range(_BURST)]


THROWN: Mapping[str, tuple[str, Callable[[str], Sequence[Wire]]]] = {
    "control: echo": (
        "no attack: two callers, as of each attack below, say C-ECHO again and again",
        _again(trickling.echo),
    ),
    "wide, deflated": (
        "12 kB that inflate to a million empty items ahead of the UIDs",
        _again(wide_headers.empty_items_deflated),
    ),
    "wide, behind": ("the same behind the UIDs", _again(wide_headers.items_behind_the_uids_deflated)),
    "nested": ("100,000 sequences within sequences, deflated", _again(wide_headers.nested)),
    "forged report": ("a stranger's N-EVENT-REPORT of 400,000 items, 3.2 MB", _again(forged_reports.report)),
    "forged report, large": ("the same of 2,000,000 items, 16 MB", _again(forged_reports.large_report)),
    "forged report, peer": ("the first by the AE title of a peer", _again(forged_reports.report_of_peer)),
    "forged action": ("a stranger's N-ACTION of 400,000 items", _again(forged_reports.action)),
    "pixels: 60416 x 60416": ("a JPEG 2000 of 285 kB and so many pixels", _again(pixel_bombs.largest)),
    "pixels: every bomb": (
        "JPEG, JPEG-LS, JPEG 2000, HTJ2K and RLE of huge size, by their header or the data set's",
        pixel_bombs.thrown,
    ),
    "pixels: zeros": ("a deflated CT slice that inflates to 300 MiB", _again(pixel_bombs.deflated_zeros)),
    "pixels: allowed": ("a JPEG 2000 of 11264 x 11264, just within the limit", _again(pixel_bombs.within_limits)),
    "slow pattern": (
        "a SeriesDescription of 100 kB that begins a match 16,000 times",
        _again(slow_patterns.started_again_and_again),
    ),
    "many values": ("a SeriesDescription of 20,000 values", _again(slow_patterns.many_values)),
}
"""Attacks that are connections with an end: name -> what it is, and what makes a burst of them given our AE title."""

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
    thrown = [Attack(name, says, throw(partial(make, CALLED))) for name, (says, make) in THROWN.items()]
    return [*thrown, *(Attack(name, says, trickling.trickle(kind)) for name, (says, kind) in HELD.items())]
