"""Servers that keep nothing: `python -m benchmarks.receiving.sinks null|raw PORT FOLDER`."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from pathlib import Path

from benchmarks.receiving.corpus import KINDS
from benchmarks.receiving.sender import pieces
from dicom_node.config import Config
from dicom_node.receive import command as dimse
from dicom_node.receive.association import MAXIMUM_PDU
from dicom_node.receive.negotiation import Negotiation
from dicom_node.receive.receiver import Receiver
from dicom_node.receive.services import SUCCESS, Answered, Offer, Response

_PDU = struct.Struct(">BxL")


def null(config: Config) -> None:
    """Answer C-STORE without a disk."""
    offer = Offer(dimse.C_STORE, lambda _request: Answered(Response(SUCCESS)), ())
    Receiver(config, [offer]).start()
    threading.Event().wait()


def raw(config: Config) -> None:
    """Read over as many bytes as each CT request has, and answer: nothing is looked at but the association request."""
    size = sum(map(len, pieces(KINDS["CT"], 1, 1, MAXIMUM_PDU)))
    answer = _answer()
    with socket.create_server((config.node.host, config.node.port)) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_discard, args=(config, connection, size, answer), daemon=True).start()


def _discard(config: Config, connection: socket.socket, size: int, answer: bytes) -> None:
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = connection.recv(_PDU.size, socket.MSG_WAITALL)
        if not head:
            return
        request = head + connection.recv(_PDU.unpack(head)[1], socket.MSG_WAITALL)
        connection.sendall(Negotiation(config.node).answer(request, "", "")[1])
        buffer, left = memoryview(bytearray(512 << 10)), size
        while count := connection.recv_into(buffer, min(left, len(buffer))):
            left -= count
            if not left:
                connection.sendall(answer)
                left = size


def _answer() -> bytes:
    command = dimse.encode(
        {
            dimse.COMMAND_FIELD: dimse.as_us(dimse.C_STORE | dimse.RESPONSE),
            dimse.RESPONDED_TO: dimse.as_us(1),
            dimse.DATA_SET_TYPE: dimse.as_us(dimse.NO_DATA_SET),
            dimse.STATUS: dimse.as_us(SUCCESS),
        }
    )
    return _PDU.pack(4, len(command) + 6) + struct.pack(">LBB", len(command) + 2, 1, 3) + command


if __name__ == "__main__":
    which, port, folder = sys.argv[1:]
    node = {"ae_title": "NODE", "port": int(port), "receivers": 1}
    settings = {"folder": folder, "node": node, "storage": {"folder": folder}}
    {"null": null, "raw": raw}[which](Config.model_validate({**settings, "folder": Path(folder)}))
