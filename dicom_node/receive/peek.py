"""The first elements of an encoded data set, found without decoding anything (PS3.5 7.1, 7.5)."""

from __future__ import annotations

import struct
from collections.abc import Collection

_HEAD = struct.Struct("<HH2sH")  # group, element, and in explicit syntaxes value representation and short length
_LONG, _SHORT = struct.Struct("<L"), struct.Struct("<H")
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_UNDEFINED = 0xFFFFFFFF
_ITEM, _END_OF_ITEM, _END_OF_SEQUENCE = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DEEPEST = 16  # sequences within sequences; a hostile data set nests without end


class UnreadableError(ValueError):
    """It takes more than these bytes, or more than this reader."""


def peek(
    data: bytes | bytearray, at: int, wanted: Collection[int], last: int, *, implicit: bool = False
) -> dict[int, bytes]:
    """Return the raw values of little-endian elements, given and keyed as 0xGGGGEEEE, from the position `at`.

    Reading ends before the first element above `last`.

    Raises:
        UnreadableError: what is wanted does not lie in these bytes for certain.
    """
    found: dict[int, bytes] = {}
    end, unpack = len(data), _HEAD.unpack_from
    try:
        while True:
            group, element, vr, length = unpack(data, at)
            tag, start = group << 16 | element, at + _HEAD.size
            if implicit or vr not in _SHORT_VRS:  # most are decided here, at half the cost
                tag, start, length = _element(data, at, implicit=implicit)
            if tag > last:
                return found
            at = start + length if length != _UNDEFINED else _behind_sequence(data, start, 1, implicit=implicit)
            if at > end:
                raise UnreadableError("cut off")
            if tag in wanted:
                found[tag] = bytes(data[start:at])
    except struct.error as error:
        raise UnreadableError("cut off") from error


def behind_group(data: bytes, at: int) -> int:
    """Return where the group of the explicit little-endian element at a position ends.

    Raises:
        UnreadableError: not in these bytes.
    """
    try:
        (group,) = _SHORT.unpack_from(data, at)
        while _SHORT.unpack_from(data, at) == (group,):
            _tag, start, length = _element(data, at, implicit=False)
            at = start + length
    except struct.error as error:
        raise UnreadableError("cut off") from error
    return at


def _element(data: bytes | bytearray, at: int, *, implicit: bool) -> tuple[int, int, int]:
    """Return an element's tag, where its value starts, and its length."""
    group, element, vr, length = _HEAD.unpack_from(data, at)
    tag = group << 16 | element
    if implicit or group == 0xFFFE:
        return tag, at + 8, _LONG.unpack_from(data, at + 4)[0]
    if vr in _LONG_VRS:
        return tag, at + 12, _LONG.unpack_from(data, at + 8)[0]
    if not vr.isalpha():
        raise UnreadableError("no value representation")
    return tag, at + 8, length


def _behind_sequence(data: bytes | bytearray, at: int, depth: int, *, implicit: bool) -> int:
    """Return where a sequence of undefined length ends (PS3.5 7.5.2)."""
    if depth > _DEEPEST:
        raise UnreadableError("nested too deep")
    while True:
        tag, at, length = _element(data, at, implicit=implicit)
        if tag == _END_OF_SEQUENCE:
            return at
        if tag != _ITEM:
            raise UnreadableError("no item in a sequence")
        at = at + length if length != _UNDEFINED else _behind_item(data, at, depth, implicit=implicit)


def _behind_item(data: bytes | bytearray, at: int, depth: int, *, implicit: bool) -> int:
    while True:
        tag, at, length = _element(data, at, implicit=implicit)
        if tag == _END_OF_ITEM:
            return at
        at = at + length if length != _UNDEFINED else _behind_sequence(data, at, depth + 1, implicit=implicit)
