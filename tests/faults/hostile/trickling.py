"""Associations that hold their places: senders of a byte now and then, and such as are idle from the start.

`with Trickling(port): ...` keeps an attack going; `python -m tests.faults.hostile.trickling PORT` does for a minute.
"""

from __future__ import annotations

import argparse
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from tests.faults.sending import CALLED
from tests.support.malformed import DATA, RELEASE_RQ, Wire, fragment, pdu, request, store_command

Kind: TypeAlias = Literal["request", "pdu", "message", "idle", "echo"]
KINDS: tuple[Kind, ...] = ("request", "pdu", "message", "idle", "echo")
"""Where a byte comes now and then: in the association request, in one PDU, as whole PDUs of one endless message; or
nothing comes after the association was accepted, or only a C-ECHO."""

_COMMAND_LAST, _DATA = 0x03, 0x00  # message control header (PS3.8 E.2)
_VERIFICATION, _IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.1.2"
_CT, _EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
_CONTEXTS = [(1, _CT, _EXPLICIT), (3, _VERIFICATION, _IMPLICIT)]


@dataclass(frozen=True, slots=True)
class Trickle:
    """How many sockets, from how many addresses, and how often each says a byte."""

    kind: Kind
    sockets: int = 60
    every_s: float = 9.0
    addresses: Sequence[str] = ("127.0.0.1",)
    same_ae_title: str = ""  # else each has one of its own


class Trickling:
    """An attack that goes on in a thread until the end of its `with`; who is cut calls again."""

    def __init__(self, port: int, trickle: Trickle, called: str = CALLED) -> None:
        self._port = port
        self._trickle = trickle
        self._called = called
        self._stopped = threading.Event()
        self._sockets: dict[int, socket.socket] = {}
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self.calls = 0  # connections in all

    def __enter__(self) -> Self:
        for number in range(self._trickle.sockets):
            self._call(number)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        for connection in self._sockets.values():
            connection.close()

    @property
    def held(self) -> int:
        """How many of the sockets the node has not ended."""
        return sum(_is_open(connection) for connection in self._sockets.values())

    def _go_on(self) -> None:
        while not self._stopped.wait(self._trickle.every_s):
            for number, connection in list(self._sockets.items()):
                if not _is_open(connection):
                    connection.close()
                    self._call(number)
                elif drop := _drop(self._trickle.kind):
                    with suppress(OSError):
                        connection.sendall(drop)

    def _call(self, number: int) -> None:
        trickle = self._trickle
        address = trickle.addresses[number % len(trickle.addresses)]
        with suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", self._port), 5, source_address=(address, 0))
            self.calls += 1
            self._sockets[number] = connection
            calling = trickle.same_ae_title or f"TRICKLE{number}"
            connection.sendall(_beginning(trickle.kind, request(self._called, _CONTEXTS, calling)))


def trickle(kind: Kind, **how: Any) -> Callable[[int, list[float]], AbstractContextManager[None]]:
    """Return what attacks a port while its context is open; nothing is answered, so no answer's time is noted."""

    @contextmanager
    def strike(port: int, _answers: list[float]) -> Iterator[None]:
        with Trickling(port, Trickle(kind, **how), CALLED):
            yield

    return strike


def echo(called: str) -> Wire:
    """Return a connection that says C-ECHO once and releases; nothing is wrong with it."""
    said = pdu(DATA, fragment(_echo_command(), _COMMAND_LAST, context=3))
    return [request(called, _CONTEXTS, "ECHO"), said, pdu(RELEASE_RQ, bytes(4))]


def _beginning(kind: Kind, asked: bytes) -> bytes:
    command = pdu(DATA, fragment(store_command(), _COMMAND_LAST))
    return {
        "request": asked[:20],
        "pdu": asked + command + struct.pack(">BxLLBB", DATA, 100_004, 100_000, 1, _DATA),
        "message": asked + command,
        "idle": asked,
        "echo": asked,
    }[kind]


def _drop(kind: Kind) -> bytes:
    """Return what comes now and then."""
    return {
        "request": b"\0",
        "pdu": b"\0",
        "message": pdu(DATA, fragment(b"\0", _DATA)),
        "idle": b"",
        "echo": pdu(DATA, fragment(_echo_command(), _COMMAND_LAST, context=3)),
    }[kind]


def _echo_command() -> bytes:
    """Return the command set of a C-ECHO-RQ (PS3.7 9.3.5.1)."""
    uid = _VERIFICATION.encode() + b"\0"
    elements = [
        (0x0002, uid),
        *((tag, struct.pack("<H", value)) for tag, value in ((0x0100, 0x0030), (0x0110, 1), (0x0800, 0x0101))),
    ]
    body = b"".join(struct.pack("<HHL", 0, tag, len(value)) + value for tag, value in elements)
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def _is_open(connection: socket.socket) -> bool:
    """Say whether the node has neither closed nor aborted, reading over what it answered."""
    connection.setblocking(False)
    try:
        while data := connection.recv(65536):
            if data[-10:-9] in (b"\x03", b"\x07"):  # A-ASSOCIATE-RJ or A-ABORT
                break
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def main() -> None:
    """Attack a node for a while and say what it held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--kind", choices=KINDS, default="pdu")
    parser.add_argument("--called", default=CALLED)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with Trickling(options.port, Trickle(options.kind), options.called) as attack:
        time.sleep(options.seconds)
        print(f"{options.kind}: {attack.held} of {attack.calls} connections are held")  # noqa: T201


if __name__ == "__main__":
    main()
