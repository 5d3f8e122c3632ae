"""Who may stay: bounds on connections that have asked for nothing yet, and the end of associations that stand still."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from dicom_node.callers import Callers
from dicom_node.config import Config
from dicom_node.receive.admission import Admission
from dicom_node.receive.association_table import AssociationTable
from dicom_node.receive.pace import Pace
from dicom_node.receive.services import Caller
from dicom_node.receive.stream import Stream

_WAITING_AT_MOST = 100  # connections of one receiver that have not asked for an association yet
_LOOK_S = 0.5  # how often associations are looked at


@dataclass(frozen=True, slots=True)
class _Inside:
    """An association of this receiver."""

    place: int  # in the table
    stream: Stream
    pace: Pace


class Doors:
    """Counts the connections of one receiver, and its associations together with those of the others."""

    def __init__(self, config: Config, table: AssociationTable) -> None:
        self._node = config.node
        self._callers = Callers(config)
        self._table = table
        self._admission = Admission(config.node, self._callers, table)
        self._lock = threading.Lock()
        self._waiting: dict[socket.socket, str] = {}  # and whence they come, in the order of their arrival
        self._inside: dict[socket.socket, _Inside] = {}
        self._closed = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="watching", daemon=True)

    def open(self) -> None:
        """Begin to look at how associations get on."""
        self._watching.start()

    def arrive(self, connection: socket.socket, address: str) -> None:
        """Let a connection wait for its request.

        Where too many wait, the one is cut that has waited longest, of the address from which most have come.
        """
        with self._lock:
            self._waiting[connection] = address
            if len(self._waiting) > _WAITING_AT_MOST:
                self._cut_waiting()
            if self._closed.is_set():
                _end_reading(connection)

    def enter(self, connection: socket.socket, stream: Stream, caller: Caller) -> None:
        """Let a connection become an association.

        Raises:
            NoRoomError: there is no place for it.
        """
        with self._lock:
            self._waiting.pop(connection, None)
            place = self._admission.enter(caller)
            self._inside[connection] = _Inside(place, stream, Pace(stream, self._node, time.monotonic()))
            if self._closed.is_set():
                _end_reading(connection)

    def leave(self, connection: socket.socket) -> None:
        """Forget a connection, and give back the place of its association."""
        with self._lock:
            self._waiting.pop(connection, None)
            inside = self._inside.pop(connection, None)
            if inside is not None:
                self._admission.leave(inside.place)

    def close(self) -> None:
        """Let every connection, and each that comes, find that its peer sends no more."""
        with self._lock:
            self._closed.set()
            for connection in (*self._waiting, *self._inside):
                _end_reading(connection)

    @property
    def is_closed(self) -> bool:
        """Whether this node is ending."""
        return self._closed.is_set()

    def _cut_waiting(self) -> None:
        strangers = {one: place for one, place in self._waiting.items() if not self._callers.knows_address(place)}
        waiting = strangers or self._waiting
        [(busiest, _)] = Counter(waiting.values()).most_common(1)
        longest = next(connection for connection, address in waiting.items() if address == busiest)
        del self._waiting[longest]
        _end_reading(longest)

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_S):
            now = time.monotonic()
            with self._lock:
                for inside in self._inside.values():
                    self._look_at(inside, now)

    def _look_at(self, inside: _Inside, now: float) -> None:
        if self._table.is_cut(inside.place):
            inside.stream.cut("was cut, the slowest where another needed its place")
        elif problem := inside.pace.look(now):
            inside.stream.cut(problem)
        self._table.set_progress(inside.place, inside.pace.slow_since_s, inside.pace.received)


def _end_reading(connection: socket.socket) -> None:
    with suppress(OSError):  # closed meanwhile
        socket.socket.shutdown(connection, socket.SHUT_RD)  # a TLS socket's own would forget that it speaks TLS
