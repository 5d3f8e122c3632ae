"""The search for a few elements near the beginning of a data set (PS3.5 7.1, 7.5)."""

from __future__ import annotations

import struct
import time
from collections.abc import Collection

from dicom_node.encoding.errors import CutOffError, ExcessError, UnreadableError
from dicom_node.encoding.sources import Source
from dicom_node.encoding.syntax import (
    END_OF_ITEM,
    END_OF_SEQUENCE,
    ITEM,
    ITEMS,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED,
    Encoding,
    is_two_capitals,
)

DEEPEST = 32  # sequences within sequences
ELEMENTS_AT_MOST = 20_000  # ahead of the UIDs, outside sequences of references; real objects have hundreds
REFERENCES_AT_MOST = 500_000
"""Elements, items and delimiters of sequences of references: 20,000 frames that name two images each have 300,000."""
REFERENCES = frozenset(  # PS3.3: those that name an instance for each frame, and may stand ahead of the UIDs
    {0x00081115, 0x00081140, 0x00081199, 0x0008114A, 0x00082112, 0x00089092, 0x0008113A, 0x00081250, 0x00081200}
)
_WINDOW = 16 << 10  # bytes that are read at a time, a millisecond of work; then other threads come to run
_VALUE_AT_MOST = 1 << 10  # bytes of a wanted value; a longer one is cut, as it is no UID
_PAUSE_S = 20e-6


class Walk:
    """Walks a data set from its first byte; holds a window of it and no value.

    Bytes that lie ready are taken first; where they end and there is no source, that is a CutOffError.
    """

    __slots__ = ("_at", "_data", "_encoding", "_other_left", "_references_left", "_source")

    def __init__(self, ready: bytes | bytearray, at: int, encoding: Encoding, source: Source | None = None) -> None:
        self._data: bytes | bytearray = ready
        self._at = at
        self._encoding = encoding
        self._source = source
        self._other_left, self._references_left = ELEMENTS_AT_MOST, REFERENCES_AT_MOST

    def find(self, wanted: Collection[int], last: int) -> dict[int, bytes]:
        """Return the values of elements, given and keyed as 0xGGGGEEEE; reading ends before the first above `last`.

        May be called again, to read on behind that.

        Raises:
            UnreadableError: the bytes are no elements, are cut off, or more than `ELEMENTS_AT_MOST`.
        """
        found: dict[int, bytes] = {}
        data, at, unpack, implicit = self._data, self._at, self._encoding.head.unpack_from, self._encoding.is_implicit
        for _ in range(self._other_left):
            try:
                group, element, vr, length = unpack(data, at)
                tag, start = group << 16 | element, at + 8
                if implicit or vr not in SHORT_VRS:  # most are decided here, at half the cost
                    start, length = self._head(data, at, vr, implicit=implicit)
            except struct.error:
                if not self._refill(at):
                    return found
                data, at = self._data, 0
                continue
            if tag > last:
                self._at = at
                return found
            if length == UNDEFINED:
                at, data = self._behind_sequence(start, tag), self._data
                continue
            end = start + length
            if tag in wanted:
                if end > len(data):
                    self._value_into_window(at, min(end, start + _VALUE_AT_MOST) - at)
                    data, start, end, at = self._data, start - at, end - at, 0
                found[tag] = bytes(
                    data[start:end] if length <= _VALUE_AT_MOST else data[start : start + _VALUE_AT_MOST]
                )
            at = end
        raise ExcessError(f"more than {ELEMENTS_AT_MOST} elements stand ahead of its UIDs")

    def _head(self, data: bytes | bytearray, at: int, vr: bytes, *, implicit: bool) -> tuple[int, int]:
        """Return where an element's value starts, and its length.

        What has no VR in Explicit VR is taken for Implicit VR: some writers mix them, and sequences of VR UN hold it
        (PS3.5 6.2.2, note 4).
        """
        long = self._encoding.long.unpack_from
        if not implicit and vr in LONG_VRS:
            return at + 12, long(data, at + 8)[0]
        if implicit or not is_two_capitals(vr):
            return at + 8, long(data, at + 4)[0]
        return at + 8, self._encoding.head.unpack_from(data, at)[3]

    def _value_into_window(self, at: int, size: int) -> None:
        """Let the window begin at an element and hold so much of it."""
        self._refill(at, must=True)
        while len(self._data) < size:
            self._refill(0, must=True)

    def _refill(self, at: int, *, must: bool = False) -> bool:
        """Let the window begin at a position of it; return False where the data set ends exactly there."""
        if self._source is None:
            raise CutOffError("not in these bytes")
        if at > len(self._data):
            self._source.skip(at - len(self._data))
        time.sleep(_PAUSE_S)
        rest = bytes(self._data[at:])
        more = self._source.read(_WINDOW)
        if not more and (rest or must):
            raise CutOffError("the data set is cut off")
        self._data = rest + more
        return bool(more)

    def _behind_sequence(self, at: int, tag: int) -> int:
        """Return where in the window the sequence of undefined length ends whose items begin at a position."""
        if tag in REFERENCES:
            at, self._references_left = self._behind_items(at, self._references_left)
        else:
            at, self._other_left = self._behind_items(at, self._other_left)
        return at

    def _behind_items(self, at: int, at_most: int) -> tuple[int, int]:
        """Return the position behind a sequence's delimiter, and how many elements are left of those it may have.

        `depth` is odd between the items of a sequence and even within an item.
        """
        data, depth = self._data, 1
        unpack, long, implicit = (
            self._encoding.head.unpack_from,
            self._encoding.long.unpack_from,
            self._encoding.is_implicit,
        )
        for left in range(at_most - 1, 0, -1):
            try:
                group, element, vr, length = unpack(data, at)
                start = at + 8
                if group == ITEMS:
                    (length,) = long(data, at + 4)
                elif implicit or vr not in SHORT_VRS:
                    start, length = self._head(data, at, vr, implicit=implicit)
            except struct.error:
                self._refill(at, must=True)
                data, at = self._data, 0
                continue
            at = start
            if group == ITEMS and element == (END_OF_SEQUENCE if depth % 2 else END_OF_ITEM):
                depth -= 1
                if not depth:
                    return at, left
            elif (group == ITEMS and element == ITEM) != (depth % 2 == 1):
                raise UnreadableError(f"({group:04X},{element:04X}) cannot stand here in a sequence")
            elif length != UNDEFINED:
                at += length
            elif depth < 2 * DEEPEST:
                depth += 1
            else:
                raise ExcessError(f"sequences nested deeper than {DEEPEST}")
        raise ExcessError("too many elements stand in sequences ahead of its UIDs")
