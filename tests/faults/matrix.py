"""Which fault meets which step, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.faults.steps import STEPS
from tests.faults.strikes import STRIKES

_SENDS = frozenset({"sending", "awaiting commitment"})
_NO_PEER = "no peer is spoken to at this step"
_NO_MODEL = "no model runs at this step"
_ONE_LONG = "a longer lock of the same kind is tried at the step that writes most"
_SENDER = "a sender's own fault: it can only happen while it sends"


class Cell(NamedTuple):
    """One fault at one step."""

    step: str
    fault: str


def left_out(cell: Cell) -> str:
    """Return why a cell makes no sense; "" where it does."""
    if cell.fault.startswith("PACS") and cell.step not in _SENDS:
        return _NO_PEER
    if cell.fault.endswith("the model") and cell.step not in {"gating", "inferring"}:
        return _NO_MODEL
    if cell.fault.endswith("for long") and cell.step != "inferring":
        return _ONE_LONG
    if cell.fault in {"half a series, then silence", "association aborted"} and cell.step != "receiving":
        return _SENDER
    return ""


def cells() -> Iterator[Cell]:
    """Yield every cell that makes sense, fault by fault."""
    for fault in STRIKES:
        for step in STEPS:
            cell = Cell(step, fault)
            if not left_out(cell):
                yield cell
