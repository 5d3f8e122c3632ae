"""The elements of a data set in Explicit VR Little Endian as bytes, which may become what no library writes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
"""VRs whose length has 32 bits (PS3.5 7.1.2)."""
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Element:
    """One element of the outermost data set."""

    tag: int  # 0xGGGGEEEE
    vr: bytes
    value: bytes


def elements_of(data_set: bytes) -> Iterator[Element]:
    """Yield the elements of a data set in which only the last one may be of undefined length."""
    at = 0
    while at < len(data_set):
        group, number, vr, length = struct.unpack_from("<HH2sH", data_set, at)
        at += 8
        if vr in _LONG:
            (length,) = struct.unpack_from("<I", data_set, at)
            at += 4
        end = len(data_set) if length == _UNDEFINED else at + length
        yield Element(group << 16 | number, vr, data_set[at:end])
        at = end


def joined(elements: Iterable[Element]) -> bytes:
    """Return the data set of elements, each padded to even length with what its VR wants."""
    return b"".join(map(_encoded, elements))


def _encoded(element: Element) -> bytes:
    value = element.value + (b"\0" if element.vr in (b"UI", b"OB", b"UN") else b" ") * (len(element.value) % 2)
    head = struct.pack("<HH2s", element.tag >> 16, element.tag & 0xFFFF, element.vr)
    if element.vr in _LONG:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", min(len(value), 0xFFFE)) + value[:0xFFFE]
