"""Answers that wait: to objects beyond what is read of any, and to storage commitment messages of strangers."""

from __future__ import annotations

import threading
import time

_APART_S = 1.0  # between two such answers to one address, over all its associations with one receiver
_MOST_S = 3.0  # that one answer waits, so that few associations stand still
_ADDRESSES_AT_MOST = 1000  # that are remembered


class Slowing:
    """Gives each address one turn a second; its first such message is answered at once, and good ones always are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, float] = {}  # of the latest answer, on the monotonic clock

    def wait(self, address: str) -> None:
        """Let an answer to an address wait for its turn."""
        now = time.monotonic()
        with self._lock:
            if len(self._turns) > _ADDRESSES_AT_MOST:
                self._turns.clear()
            turn = self._turns[address] = max(now, self._turns.get(address, 0.0) + _APART_S)
        time.sleep(min(turn - now, _MOST_S))
