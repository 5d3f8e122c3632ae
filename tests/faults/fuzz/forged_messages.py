"""Storage commitment messages of strangers, and of callers who say that they are a peer (PS3.4 J.3)."""

from __future__ import annotations

from random import Random

from tests.faults.fuzz.inputs import Input
from tests.faults.hostile import forged_reports

KIND = "forged message"
_ITEMS = (0, 1, 3, 1000, 20_001, 400_000)
_CALLERS = ("FUZZER", "ARCHIVE", "SCANNER", "")


def make(random: Random, called: str) -> Input:
    """Return an N-EVENT-REPORT or N-ACTION of many empty items, one in fifty of 16 MB."""
    items = 2_000_000 if random.random() < 0.02 else random.choice(_ITEMS)
    said = random.choice((forged_reports.report, forged_reports.action))
    return Input(KIND, said(called, items, random.choice(_CALLERS)))
