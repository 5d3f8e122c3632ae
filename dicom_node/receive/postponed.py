"""Files that alone cannot be taken up, e.g. on a bad sector: each is tried again later, and no other waits for them."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from dicom_node.receive.waiting import Arrived

log = logging.getLogger(__name__)

_PAUSE_S = 1.0  # before the second attempt at a file; doubles
_PAUSE_MAX_S = 600.0


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A file's next attempt."""

    arrived: Arrived
    due: float  # of `time.monotonic`
    pause_s: float


class Postponed:
    """What waits for its next attempt, by path."""

    def __init__(self) -> None:
        self._attempts: dict[Path, _Attempt] = {}

    def __contains__(self, path: Path) -> bool:
        return path in self._attempts

    def put(self, arrived: Arrived, error: OSError) -> bool:
        """Postpone a file for longer than the last time; returns whether this was its first attempt."""
        last = self._attempts.get(arrived.path)
        pause_s = min(2 * last.pause_s, _PAUSE_MAX_S) if last else _PAUSE_S
        self._attempts[arrived.path] = _Attempt(arrived, time.monotonic() + pause_s, pause_s)
        log.warning(
            "%s cannot be taken up (%s); others go on, next attempt in %.0f s", arrived.path.name, error, pause_s
        )
        return last is None

    def forget(self, path: Path) -> None:
        """Take a file out, as an attempt at it succeeded."""
        self._attempts.pop(path, None)

    def due(self) -> list[Arrived]:
        """Return what is to be tried again now."""
        now = time.monotonic()
        return [one.arrived for one in self._attempts.values() if one.due <= now]
