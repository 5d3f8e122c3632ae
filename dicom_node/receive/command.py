"""DIMSE command sets (PS3.7 6.3.1, E): Implicit VR Little Endian elements of group 0000, kept as raw values."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TypeAlias

Elements: TypeAlias = Mapping[int, bytes]
"""Raw values by element number of group 0000."""

# PS3.7 E.1
AFFECTED_SOP_CLASS, COMMAND_FIELD, MESSAGE_ID, RESPONDED_TO = 0x0002, 0x0100, 0x0110, 0x0120
DATA_SET_TYPE, STATUS, ERROR_COMMENT = 0x0800, 0x0900, 0x0902
REQUESTED_SOP_CLASS, AFFECTED_SOP_INSTANCE, REQUESTED_SOP_INSTANCE = 0x0003, 0x1000, 0x1001

# PS3.7 E.1, Command Field
C_STORE, C_ECHO, C_CANCEL, RESPONSE = 0x0001, 0x0030, 0x0FFF, 0x8000
N_EVENT_REPORT, N_ACTION = 0x0100, 0x0130

NO_DATA_SET = 0x0101  # any other type means that one follows (PS3.7 E.1)

_ELEMENT = struct.Struct("<HHL")  # group, element, length (PS3.5 7.1.3)
_US, _UL = struct.Struct("<H"), struct.Struct("<L")


class CommandError(ValueError):
    """The bytes are no command set."""


def decode(command: bytes | bytearray) -> Elements:
    """Return the elements of an encoded command set.

    Raises:
        CommandError: it is cut off, or holds something else.
    """
    elements: dict[int, bytes] = {}
    at, end = 0, len(command)
    while at < end:
        if at + _ELEMENT.size > end:
            raise CommandError("cut off")
        group, element, length = _ELEMENT.unpack_from(command, at)
        at += _ELEMENT.size
        if group != 0 or at + length > end:
            raise CommandError("an element that cannot be")
        elements[element] = bytes(command[at : at + length])
        at += length
    return elements


def encode(elements: Elements) -> bytes:
    """Return a command set, its elements in order behind the group length (PS3.7 E.1)."""
    body = b"".join(
        _ELEMENT.pack(0, element, len(value)) + value for element, value in sorted(elements.items()) if element
    )
    return _ELEMENT.pack(0, 0, 4) + _UL.pack(len(body)) + body


def number(elements: Elements, element: int) -> int:
    """Return a US value.

    Raises:
        CommandError: it is not there, or no number.
    """
    value = elements.get(element, b"")
    if len(value) != _US.size:
        raise CommandError(f"(0000,{element:04X}) is no number")
    return int(_US.unpack(value)[0])


def text(elements: Elements, element: int) -> str:
    """Return a UI, LO or AE value without its padding; "" where it is not there or no plain text."""
    value = elements.get(element, b"")
    return value.decode("ascii").strip("\0 ") if value.isascii() else ""


def as_us(value: int) -> bytes:
    """Return a number as a US value."""
    return _US.pack(value)


def as_text(value: str) -> bytes:
    """Return characters as an LO value of even length."""
    encoded = value.encode("ascii", "replace")
    return encoded + b" " * (len(encoded) % 2)


def as_uid(value: str) -> bytes:
    """Return a UID as a UI value of even length (PS3.5 9.1)."""
    encoded = value.encode("ascii", "replace")
    return encoded + b"\0" * (len(encoded) % 2)
