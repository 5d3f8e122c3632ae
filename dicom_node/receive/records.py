"""Records that stand beside the objects as JSON: what is damaged in one is said with its name, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DamagedRecordError(OSError):
    """A record cannot be understood; what needs it is postponed as where the disk would not let us read it."""


@contextmanager
def named_where_damaged(path: Path) -> Iterator[None]:
    """Raise DamagedRecordError, which names the record's file, where the block cannot make sense of it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        advice = "restore it from a backup, or move it out of the folder, and what it said is decided anew"
        raise DamagedRecordError(f"{path} is damaged ({type(error).__name__}): {advice}") from error
