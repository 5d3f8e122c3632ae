"""How much memory a block of code really fills (Linux's /proc); what is only reserved does not count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SELF = Path("/proc/self")


@contextmanager
def at_most_mb(bound: float) -> Iterator[None]:
    """Fail where this process's resident memory grows by more than so many MiB at any moment of the block."""
    (_SELF / "clear_refs").write_text("5")  # forget the peak so far
    before = _peak_mb()
    yield
    grown = _peak_mb() - before
    assert grown < bound, f"{grown:.0f} MiB more than before, of {bound:g} allowed"


def _peak_mb() -> float:
    found = re.search(r"VmHWM:\s+(\d+)", (_SELF / "status").read_text())
    return int(found.group(1)) / 1024 if found else 0.0
