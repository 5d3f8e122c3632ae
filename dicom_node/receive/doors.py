"""How many may come in: bounds on connections that ask for nothing yet, on associations, and on those of one caller."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import suppress

_WAITING_AT_MOST = 100  # connections that have not asked for an association yet


class Doors:
    """Counts connections; safe to share among threads."""

    def __init__(self, associations: int, associations_per_caller: int) -> None:
        self._associations = associations
        self._per_caller = associations_per_caller
        self._lock = threading.Lock()
        self._waiting: dict[socket.socket, None] = {}  # in the order of their arrival
        self._callers: Counter[str] = Counter()
        self._inside: set[socket.socket] = set()
        self._closed = False

    def arrive(self, connection: socket.socket) -> None:
        """Let a connection wait for its request; where too many do, the one that has waited longest is cut."""
        with self._lock:
            self._waiting[connection] = None
            if len(self._waiting) > _WAITING_AT_MOST:
                _end_reading(next(iter(self._waiting)))
            if self._closed:
                _end_reading(connection)

    def enter(self, connection: socket.socket, caller: str) -> bool:
        """Let a connection become an association of a caller; return whether there was room."""
        with self._lock:
            self._waiting.pop(connection, None)
            is_room = self._callers.total() < self._associations and self._callers[caller] < self._per_caller
            if is_room:
                self._callers[caller] += 1
                self._inside.add(connection)
            if self._closed:
                _end_reading(connection)
            return is_room

    def leave(self, connection: socket.socket, caller: str | None) -> None:
        """Forget a connection, and with its caller named its association."""
        with self._lock:
            self._waiting.pop(connection, None)
            self._inside.discard(connection)
            if caller is not None:
                self._callers[caller] -= 1
                self._callers += Counter()  # drops those at zero

    def close(self) -> None:
        """Let every connection, and each that comes, find that its peer sends no more."""
        with self._lock:
            self._closed = True
            for connection in (*self._waiting, *self._inside):
                _end_reading(connection)

    @property
    def is_closed(self) -> bool:
        """Whether this node is ending."""
        return self._closed


def _end_reading(connection: socket.socket) -> None:
    with suppress(OSError):  # closed meanwhile
        socket.socket.shutdown(connection, socket.SHUT_RD)  # a TLS socket's own would forget that it speaks TLS
