"""Storage commitment messages of a stranger, or of a peer, with a million items (PS3.4 J.3; PS3.7 10.1.1, 10.1.4)."""

from __future__ import annotations

import struct

from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.uids import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from tests.faults.hostile.wide_headers import sequence
from tests.support.malformed import COMMAND_LAST, DATA, DATA_LAST, RELEASE_RQ, Wire, command, fragment, pdu, request

ITEMS = 400_000
_EVENT_REPORT, _ACTION = 0x0100, 0x0130
_TRANSACTION = struct.pack("<HH2sH", 0x0008, 0x1195, b"UI", 8) + b"1.2.3.4\0"
_EMPTY_ITEM = b"\xfe\xff\x00\xe0" + bytes(4)
_REFERENCED = (0x0008, 0x1199)


def report(called: str, items: int = ITEMS, calling: str = "FUZZER") -> Wire:
    """An N-EVENT-REPORT of so many empty items; 3.2 MB."""
    elements = [
        (0x0002, STORAGE_COMMITMENT.encode()),
        (0x0100, struct.pack("<H", _EVENT_REPORT)),
        (0x0110, struct.pack("<H", 1)),
        (0x0800, struct.pack("<H", 1)),
        (0x1000, STORAGE_COMMITMENT_INSTANCE.encode()),
        (0x1002, struct.pack("<H", 1)),
    ]
    return _said(called, calling, command(elements), items)


def large_report(called: str, calling: str = "FUZZER") -> Wire:
    """An N-EVENT-REPORT of 16 MB."""
    return report(called, 2_000_000, calling)


def report_of_peer(called: str) -> Wire:
    """The N-EVENT-REPORT by a caller who says that he is the archive."""
    return report(called, calling="ARCHIVE")


def action(called: str, items: int = ITEMS, calling: str = "FUZZER") -> Wire:
    """An N-ACTION of so many empty items."""
    elements = [
        (0x0003, STORAGE_COMMITMENT.encode()),
        (0x0100, struct.pack("<H", _ACTION)),
        (0x0110, struct.pack("<H", 1)),
        (0x0800, struct.pack("<H", 1)),
        (0x1001, STORAGE_COMMITMENT_INSTANCE.encode()),
        (0x1008, struct.pack("<H", 1)),
    ]
    return _said(called, calling, command(elements), items)


def _said(called: str, calling: str, command_set: bytes, items: int) -> Wire:
    data_set = _TRANSACTION + sequence(_REFERENCED, _EMPTY_ITEM * items)
    parts = [data_set[first : first + 16000] for first in range(0, len(data_set), 16000)]
    return [
        request(called, [(1, STORAGE_COMMITMENT, ExplicitVRLittleEndian)], calling),
        pdu(DATA, fragment(command_set, COMMAND_LAST)),
        *(pdu(DATA, fragment(part, 0)) for part in parts[:-1]),
        pdu(DATA, fragment(parts[-1], DATA_LAST)),
        pdu(RELEASE_RQ, bytes(4)),
    ]
