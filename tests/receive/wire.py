"""An association spoken byte by byte, so that a test decides the shape of everything."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.receive import command as dimse
from tests.support.malformed import DATA, RELEASE_RQ, fragment, pdu, request

COMMAND, COMMAND_LAST, DATA_SET, DATA_SET_LAST = 0x01, 0x03, 0x00, 0x02  # message control header (PS3.8 E.2)
VERIFICATION = "1.2.840.10008.1.1"
CT, ECHO = 1, 3  # presentation contexts
CONTEXTS = [(CT, CTImageStorage, ExplicitVRLittleEndian), (ECHO, VERIFICATION, ImplicitVRLittleEndian)]
ABORT, RELEASE_RP, ACCEPTED, REJECTED = 0x07, 0x06, 0x02, 0x03


class Wire:
    """A requestor's end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, *parts: bytes) -> None:
        self._connection.sendall(b"".join(parts))

    def receive(self) -> tuple[int, bytes]:
        """Return the next PDU's type and body."""
        kind, length = struct.unpack(">BxL", self._exactly(6))
        return kind, self._exactly(length)

    def response(self) -> dimse.Elements:
        """Return the next response's command set, which comes in one fragment."""
        kind, body = self.receive()
        assert kind == DATA
        return dimse.decode(body[6:])

    def status(self) -> int:
        return dimse.number(self.response(), dimse.STATUS)

    def release(self) -> None:
        self.send(pdu(RELEASE_RQ, bytes(4)))
        assert self.receive() == (RELEASE_RP, bytes(4))
        assert self._connection.recv(1) == b""

    def _exactly(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            more = self._connection.recv(count - len(taken))
            assert more, "the connection was closed"
            taken += more
        return taken


@contextmanager
def connected(
    port: int, called: str = "NODE", contexts: Sequence[tuple[int, str, str]] = CONTEXTS, wait_s: float = 10
) -> Iterator[Wire]:
    """Ask for an association; the answer is still to be received."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as connection:
        wire = Wire(connection)
        wire.send(request(called, contexts))
        yield wire


@contextmanager
def open_wire(port: int, contexts: Sequence[tuple[int, str, str]] = CONTEXTS) -> Iterator[Wire]:
    """An association that was accepted."""
    with connected(port, contexts=contexts) as wire:
        assert wire.receive()[0] == ACCEPTED
        yield wire


def data(body: bytes, control: int, context: int = CT) -> bytes:
    """Return a P-DATA-TF PDU of one fragment."""
    return pdu(DATA, fragment(body, control, context))


def command_of(field: int, sop_class: str, message_id: int = 1, has_data: int = dimse.NO_DATA_SET) -> bytes:
    """Return the command set of a request without a data set, unless it says otherwise."""
    return dimse.encode(
        {
            dimse.AFFECTED_SOP_CLASS: dimse.as_uid(sop_class),
            dimse.COMMAND_FIELD: dimse.as_us(field),
            dimse.MESSAGE_ID: dimse.as_us(message_id),
            dimse.DATA_SET_TYPE: dimse.as_us(has_data),
        }
    )
