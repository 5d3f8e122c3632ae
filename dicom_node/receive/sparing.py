"""A log that a peer cannot fill: of lines of one kind about one peer, only the first of each minute are written."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_PEERS_AT_MOST = 1000  # that are remembered


class Sparing(logging.Filter):
    """Counts warnings and debugging lines by kind and by the `peer` that they carry; all others always pass."""

    def __init__(self, lines: int = 10, period_s: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        """Let so many lines of one kind about one peer through in a period."""
        super().__init__()
        self._lines, self._period_s, self._now = lines, period_s, now
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, object], tuple[float, int]] = {}  # since when, and how many

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line is to be written; the first of a period says how many were left out before."""
        if record.levelno not in (logging.DEBUG, logging.WARNING):  # what came is said however much comes
            return True
        key, now = (str(record.msg), getattr(record, "peer", "")), self._now()
        with self._lock:
            if len(self._seen) > _PEERS_AT_MOST:
                self._seen.clear()
            since, count = self._seen.get(key, (now, 0))
            is_over = now - since > self._period_s
            left_out = max(0, count - self._lines) if is_over else 0
            since, count = (now, 1) if is_over else (since, count + 1)
            self._seen[key] = since, count
        if left_out:
            record.msg = f"{record.getMessage()}; {left_out} lines like it were left out"
            record.args = None
        return count <= self._lines
