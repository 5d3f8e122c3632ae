"""Association requests as other people's devices write them: what this node does not use is ignored (PS3.8 9.3.1)."""

from __future__ import annotations

import socket
import struct

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tests.receive.node import Site
from tests.receive.wire import ABORT, ACCEPTED
from tests.support.malformed import ASSOCIATE_RQ, attack, item, pdu

_APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
_ELSEWHERE = "127.0.0.9"  # of which no other test says so much that it is no longer logged
_MAXIMUM = item(0x51, struct.pack(">I", 16384))


def _request(
    user: bytes = b"", called: bytes = b"NODE            ", calling: bytes = b"SCANNER         ", further: bytes = b""
) -> bytes:
    syntaxes = item(0x30, CTImageStorage.encode()) + item(0x40, ExplicitVRLittleEndian.encode())
    items = item(0x10, _APPLICATION_CONTEXT) + further + item(0x20, bytes([1, 0, 0, 0]) + syntaxes)
    body = struct.pack(">HH", 1, 0) + called + calling + bytes(32) + items + item(0x50, _MAXIMUM + user)
    return pdu(ASSOCIATE_RQ, body)


def _answer(site: Site, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", site.receiver.port), timeout=10) as connection:
        connection.sendall(request)
        kind, length = struct.unpack(">BxL", connection.recv(6, socket.MSG_WAITALL))
        return bytes([kind]) + connection.recv(length, socket.MSG_WAITALL)


@pytest.mark.parametrize(
    "request_pdu",
    [
        _request(called=b"NODE".ljust(16, b"\0"), calling=b"SCANNER".ljust(16, b"\0")),
        _request(called=b"NODE\0           "),
        _request(called=b"NODE\0garbage    "),
        _request(calling="Röntgen 2".encode("latin-1").ljust(16)),
        _request(calling="レントゲン".encode().ljust(16)),
        _request(calling=b"A\\B\x1b[31m        "),
        _request(item(0x52, b"1.2.3.4\0") + item(0x55, b"A VERSION NAME OF MORE THAN SIXTEEN")),
        _request(item(0x55, b"OFFIS_DCMTK_366\0")),
        _request(item(0x55, b"")),
        _request(item(0x52, b"no UID at all")),
        _request(item(0x5A, b"of a later edition") + item(0xF0, b"")),
        _request(item(0x58, b"\x09\x01" + struct.pack(">H", 3) + b"abc" + bytes(2))),
        _request(item(0x56, b"\x00")),
        _request(further=item(0x99, b"unknown")),
    ],
    ids=[
        *("padded with NUL", "one NUL", "characters behind a NUL", "Latin-1", "UTF-8", "backslash and escape"),
        *("long version name", "version name with NUL", "no version name", "class UID that is none"),
        *("unknown items", "unknown user identity", "broken extended negotiation", "unknown item beside contexts"),
    ],
)
def test_requests_that_orthanc_and_storescp_accept_are_accepted(site: Site, request_pdu: bytes) -> None:
    answer = _answer(site, request_pdu)
    assert answer[0] == ACCEPTED
    assert answer[5:37] == request_pdu[10:42]  # the AE titles as they were sent


@pytest.mark.parametrize(
    ("request_pdu", "field"),
    [
        (pdu(ASSOCIATE_RQ, bytes(60)), "AE titles"),
        (_request(item(0x54, b"", length=900)), "SCP/SCU Role Selection item (54H)"),
        (_request(further=item(0x20, b"", length=60_000)), "Presentation Context item (20H)"),
        (_request(further=b"\x10"), "item"),
    ],
)
def test_a_request_that_is_refused_is_logged_with_its_field_and_address(
    site: Site, caplog: pytest.LogCaptureFixture, request_pdu: bytes, field: str
) -> None:
    assert attack(site.receiver.port, [request_pdu], patience_s=5, address=_ELSEWHERE)[0] == ABORT
    assert field in caplog.text
    assert _ELSEWHERE in caplog.text
