"""JSON records that stand beside the received objects: written durably, and named where they are damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class DamagedRecordError(OSError):
    """A JSON record cannot be understood; an object that needs it is postponed, as one that cannot be read is."""


@contextmanager
def named_where_damaged(path: Path) -> Iterator[None]:
    """Raise DamagedRecordError, which names the record's file, where the block cannot make sense of it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        advice = "restore it from a backup, or move it out of the folder, and what it said is decided anew"
        raise DamagedRecordError(f"{path} is damaged ({type(error).__name__}): {advice}") from error


def write_record(path: Path, value: Any) -> None:
    """Write a value as JSON so that the file holds either all of it, on disk, or what it held before.

    Raises:
        OSError: the value is not written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fdatasync(file.fileno())
    part.replace(path)
