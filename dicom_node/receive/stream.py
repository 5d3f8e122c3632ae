"""The bytes of one connection, read into one buffer that is used again and again."""

from __future__ import annotations

import mmap
import socket
import ssl
import struct
import sys
import time
from contextlib import suppress

_BUFFER = 512 << 10  # bytes; several PDUs, so that one read and one write can carry them
_QUICK_ACKNOWLEDGEMENT = getattr(socket, "TCP_QUICKACK", None)  # Linux
_ASKED = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 15, socket.TCP_KEEPCNT: 4}  # seconds, seconds, times
_TIMEVAL = "ll" if sys.maxsize > 2**32 else "ii"


class EndedError(Exception):
    """The peer is gone, or has been silent for too long; the text says which."""


class SilentError(EndedError):
    """Nothing came for as long as one wait may last."""


class Stream:
    """What a peer sends, in order; nothing is copied that the caller does not ask for as bytes."""

    def __init__(self, connection: socket.socket, silence_s: float, deadline_s: float) -> None:
        self._connection = connection
        self._buffer = memoryview(mmap.mmap(-1, _BUFFER))  # takes memory only as far as it is used
        self._at = self._end = 0
        self._is_acknowledged = True
        self._silence_s = silence_s
        self._deadline: float | None = time.monotonic() + deadline_s
        self._cut_for = ""
        self._is_sending = False
        self.received = 0  # bytes
        self.is_waiting = False  # for the peer: to send, or to take an answer
        self.is_idle = False  # between two messages
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _limit(connection, min(silence_s, deadline_s))

    def lift_deadline(self) -> None:
        """Let the peer take as long as it likes, as long as it is not silent."""
        self._deadline = None
        _limit(self._connection, self._silence_s)
        _keep_alive(self._connection)

    def cut(self, reason: str) -> None:
        """Let whoever reads or sends find that the connection is to end; from another thread."""
        self._cut_for = reason
        with suppress(OSError):  # closed meanwhile
            # Reading alone where possible, so that the peer can be told; a TLS socket's own would forget TLS.
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR if self._is_sending else socket.SHUT_RD)

    def rest(self) -> None:
        """Wait for the first byte of a message, however long; `cut` ends the wait."""
        if self._at < self._end:
            return
        self._at = self._end = 0
        self.is_idle = True
        while self._at == self._end:
            with suppress(SilentError):
                self._fill()
        self.is_idle = False

    def some(self, at_most: int) -> memoryview:
        """Return the next bytes, at least one; they stand until the next call.

        Raises:
            EndedError: no more will come.
        """
        if self._at == self._end:
            self._at = self._end = 0
            self._fill()
        first = self._at
        self._at = min(self._end, first + at_most)
        return self._buffer[first : self._at]

    def head(self, layout: struct.Struct) -> tuple[int, ...]:
        """Return the next few numbers; the layout is far smaller than the buffer.

        Raises:
            EndedError: no more will come.
        """
        while self._end - self._at < layout.size:
            if self._end + layout.size > _BUFFER or self._at == self._end:
                self._move_to_front()
            self._fill()
        first = self._at
        self._at += layout.size
        return layout.unpack_from(self._buffer, first)

    def read(self, count: int) -> bytes:
        """Return exactly so many bytes, which the caller has found to be few.

        Raises:
            EndedError: no more will come.
        """
        taken = bytearray()
        while len(taken) < count:
            taken += self.some(count - len(taken))
        return bytes(taken)

    def send(self, data: bytes) -> None:
        """Send bytes to the peer.

        Raises:
            EndedError: it does not take them.
        """
        self.is_waiting = self._is_sending = True
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise EndedError(self._cut_for or "reads no answers") from error
        self.is_waiting = self._is_sending = False
        self._is_acknowledged = True  # with the answer

    def _move_to_front(self) -> None:
        left = self._end - self._at
        self._buffer[:left] = bytes(self._buffer[self._at : self._end])
        self._at, self._end = 0, left

    def _fill(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise EndedError("asked for no association in time")
        try:
            if not self._is_acknowledged and _QUICK_ACKNOWLEDGEMENT is not None:
                # Linux forgets it after each use. A sender with Nagle's algorithm on waits 40 ms per object otherwise.
                self._connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGEMENT, 1)
            self.is_waiting = True
            count = self._connection.recv_into(self._buffer[self._end :])
            self.is_waiting = self._is_acknowledged = False
        except (BlockingIOError, TimeoutError) as error:
            raise SilentError("was silent for too long") from error
        except OSError as error:  # TLS errors are among them
            raise EndedError(self._cut_for or "lost its connection") from error
        if count == 0:
            raise EndedError(self._cut_for or "closed its connection")
        self._end += count
        self.received += count


def _keep_alive(connection: socket.socket) -> None:
    """Let the kernel ask whether a silent peer's machine is there, so that one that vanished gives its place back."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _ASKED.items():
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _limit(connection: socket.socket, silence_s: float) -> None:
    """End every wait for the peer after this time."""
    if isinstance(connection, ssl.SSLSocket):  # would try again for ever after the kernel's time-out
        connection.settimeout(silence_s)
        return
    # The kernel's own time-outs cost nothing; Python's ask poll() before every read.
    connection.settimeout(None)
    limit = struct.pack(_TIMEVAL, int(silence_s), int(silence_s % 1 * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
