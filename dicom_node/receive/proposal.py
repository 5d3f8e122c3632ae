"""An A-ASSOCIATE-RQ PDU reduced to what this node answers; all else is ignored, as PS3.8 9.3.1 asks.

pynetdicom decodes every item and refuses the whole request where one is not as the standard has it, be it an
Implementation Version Name of 17 characters that nobody here would look at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dicom_node.receive.association import INVALID_PARAMETER, AbortError

TITLES = slice(10, 42)  # bytes of the called and the calling AE title (PS3.8 Table 9-11)

_HEAD = struct.Struct(">BxL")  # PDU type, length
_ITEM = struct.Struct(">BxH")  # item type, length
_CALLED, _CALLING = slice(10, 26), slice(26, 42)
_FIXED = 74  # bytes before the first variable item
_APPLICATION, _CONTEXT, _USER_INFORMATION = 0x10, 0x20, 0x50
_MAXIMUM_LENGTH, _WINDOW, _ROLE = 0x51, 0x53, 0x54  # PS3.8 D.1; PS3.7 D.3.3.3, D.3.3.4
_NAMES = {
    _APPLICATION: "Application Context",
    _CONTEXT: "Presentation Context",
    _USER_INFORMATION: "User Information",
    _MAXIMUM_LENGTH: "Maximum Length",
    _WINDOW: "Asynchronous Operations Window",
    _ROLE: "SCP/SCU Role Selection",
}


def reduce_request(pdu: bytes) -> bytes:
    """Return the request with its AE titles in ASCII padded with blanks, and no item in it but those that are used.

    Raises:
        AbortError: it is cut off; the text names the field.
    """
    if len(pdu) < _FIXED:
        raise AbortError(INVALID_PARAMETER, f"an A-ASSOCIATE-RQ of {len(pdu)} bytes ends within its AE titles")
    items = b"".join(
        _item(kind, _user_information(body) if kind == _USER_INFORMATION else body)
        for kind, body in _items(pdu[_FIXED:])
        if kind in (_APPLICATION, _CONTEXT, _USER_INFORMATION)
    )
    fixed = pdu[6:10] + _title(pdu[_CALLED]) + _title(pdu[_CALLING]) + bytes(32)
    return _HEAD.pack(pdu[0], len(fixed) + len(items)) + fixed + items


def _user_information(body: bytes) -> bytes:
    return b"".join(_item(kind, part) for kind, part in _items(body) if kind in (_MAXIMUM_LENGTH, _WINDOW, _ROLE))


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of items, which follow each other to the end."""
    at = 0
    while at < len(data):
        if at + _ITEM.size > len(data):
            raise AbortError(INVALID_PARAMETER, "an A-ASSOCIATE-RQ ends within an item's head")
        kind, length = _ITEM.unpack_from(data, at)
        at += _ITEM.size + length
        if at > len(data):
            name = _NAMES.get(kind, "unknown")
            raise AbortError(INVALID_PARAMETER, f"the {name} item ({kind:02X}H) of an A-ASSOCIATE-RQ is cut off")
        yield kind, data[at - length : at]


def _item(kind: int, body: bytes) -> bytes:
    return _ITEM.pack(kind, len(body)) + body


def _title(raw: bytes) -> bytes:
    """Return an AE title without NULs, with a question mark for each byte that may not stand in one (PS3.5 6.2)."""
    name = raw.partition(b"\0")[0].strip() or raw.strip(b"\0 ")
    return bytes(byte if 0x20 <= byte < 0x7F and byte != 0x5C else 0x3F for byte in name).ljust(16)
