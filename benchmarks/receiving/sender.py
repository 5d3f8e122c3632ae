"""A sender that is never the limit: requests are framed once and go out with few system calls."""

from __future__ import annotations

import multiprocessing
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification

from benchmarks.receiving.corpus import Kind

_ELEMENT = struct.Struct("<HHL")
_PDU, _PDV = struct.Struct(">BxL"), struct.Struct(">LBB")
_LARGEST_PDU = 128 << 10
_AT_ONCE = 1 << 20  # bytes
_RELEASE = _PDU.pack(5, 4) + bytes(4)


@dataclass(frozen=True)
class Sent:
    """What one run of senders saw."""

    seconds: float  # from the first request to the last answer
    answer_s: Sequence[float]  # how long each answer took
    refused: int


@dataclass(frozen=True)
class Batch:
    """The first objects of one round of a kind."""

    kind: Kind
    turn: int
    count: int


def send(batch: Batch, called: str, port: int, associations: int = 1) -> Sent:
    """Send objects over several associations at a time, each of its own process."""
    context = multiprocessing.get_context("fork")
    batch.kind.header(0, 0)  # made once, before the processes part, as are the pixels
    ends = []
    for first in range(associations):
        ours, theirs = context.Pipe()
        numbers = range(1 + first, batch.count + 1, associations)
        process = context.Process(target=_send_all, args=(batch, numbers, called, port, theirs))
        process.start()
        theirs.close()
        ends.append((process, ours))
    for _, end in ends:
        end.recv()
    started = time.perf_counter()
    for _, end in ends:
        end.send("go")
    results = [end.recv() for _, end in ends]
    seconds = time.perf_counter() - started
    for process, _ in ends:
        process.join()
    return Sent(seconds, [one for answers, _ in results for one in answers], sum(refused for _, refused in results))


def _send_all(batch: Batch, numbers: Sequence[int], called: str, port: int, end: Connection) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        maximum = associate(connection, batch.kind, called)
        end.send("ready")
        end.recv()
        answers, refused = [], 0
        for number in numbers:
            started = time.perf_counter()
            for piece in pieces(batch.kind, batch.turn, number, maximum):
                connection.sendall(piece)
            refused += read_status(connection) != 0
            answers.append(time.perf_counter() - started)
        end.send((answers, refused))
        connection.sendall(_RELEASE)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(_PDU.size)


def associate(connection: socket.socket, kind: Kind, called: str) -> int:
    """Negotiate one context; return the largest PDU that the peer takes."""
    request = A_ASSOCIATE()
    request.application_context_name = UID("1.2.840.10008.3.1.1.1")
    request.calling_ae_title, request.called_ae_title = "BENCHMARK", called
    context = build_context(kind.sop_class, ExplicitVRLittleEndian)
    context.context_id = 1
    request.presentation_context_definition_list = [context]
    maximum, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    maximum.maximum_length_received = 16384
    implementation.implementation_class_uid = UID("1.2.826.0.1.3680043.8.498.77.3")
    request.user_information = [maximum, implementation]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(request)
    connection.sendall(pdu.encode())
    head = _exactly(connection, _PDU.size)
    answer = head + _exactly(connection, _PDU.unpack(head)[1])
    if answer[0] != 0x02:
        raise ConnectionError(f"no association: {answer.hex()}")
    accepted = A_ASSOCIATE_AC()
    accepted.decode(answer)
    return accepted.to_primitive().maximum_length_received or _LARGEST_PDU


def pieces(kind: Kind, turn: int, number: int, maximum: int) -> Iterator[bytes]:
    """Yield a whole C-STORE request in pieces to send."""
    uid, sop_class = kind.uid(turn, number).encode(), kind.sop_class.encode()
    body = b"".join(
        _ELEMENT.pack(0, element, len(value) + len(value) % 2) + value + b"\0" * (len(value) % 2)
        for element, value in (
            (0x0002, sop_class),
            (0x0100, b"\x01\x00"),
            (0x0110, struct.pack("<H", number & 0xFFFF)),
            (0x0700, b"\x00\x00"),
            (0x0800, b"\x01\x00"),
            (0x1000, uid),
        )
    )
    command = _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body
    batch = [_PDU.pack(4, len(command) + 6), _PDV.pack(len(command) + 2, 1, 3), command]
    data, step, size = _DataSet(kind, turn, number), min(maximum, _LARGEST_PDU) - 6, 0
    for first in range(0, data.size, step):
        part = data.cut(first, step)
        length = sum(map(len, part))
        last = 2 if first + step >= data.size else 0
        batch += [_PDU.pack(4, length + 6), _PDV.pack(length + 2, 1, last), *part]
        size += length
        if size > _AT_ONCE:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join(batch)


class _DataSet:
    def __init__(self, kind: Kind, turn: int, number: int) -> None:
        self._header = kind.header(turn, number)
        self._pixels = memoryview(kind.pixels)
        self.size = len(self._header) + len(self._pixels)

    def cut(self, first: int, step: int) -> list[bytes | memoryview]:
        """Return the bytes from a position on, in one or two parts."""
        before = len(self._header)
        if first >= before:
            return [self._pixels[first - before : first - before + step]]
        return [self._header[first : first + step], self._pixels[: max(0, first + step - before)]]


def read_status(connection: socket.socket) -> int:
    """Return the status of a C-STORE response (PS3.7 9.3.1.2)."""
    body = _exactly(connection, _PDU.unpack(_exactly(connection, _PDU.size))[1])[6:]
    at = body.rindex(struct.pack("<HHL", 0, 0x0900, 2))
    return int(struct.unpack_from("<H", body, at + 8)[0])


def _exactly(connection: socket.socket, count: int) -> bytes:
    taken = b""
    while len(taken) < count:
        more = connection.recv(count - len(taken))
        if not more:
            raise ConnectionError("the server has closed the connection")
        taken += more
    return taken
