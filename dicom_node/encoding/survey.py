"""What a header holds, counted before anything of it is built: where each element lies, and how many are in it."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dicom_node.encoding.errors import CutOffError, ExcessError, UnreadableError
from dicom_node.encoding.sources import Source
from dicom_node.encoding.syntax import (
    END_OF_ITEM,
    END_OF_SEQUENCE,
    ITEM,
    ITEMS,
    UNDEFINED,
    Encoding,
)
from dicom_node.encoding.walk import DEEPEST, REFERENCES

FRAMES = 0x52009230  # Per-Frame Functional Groups Sequence (PS3.3 C.7.6.16)
ELEMENTS_AT_MOST = 2_000_000  # outside per-frame and referenced sequences; 100 MB of short contours have 1,300,000
EVERYWHERE_AT_MOST = 8_000_000  # 20,000 frames of an enhanced MR have 2,600,000
_PIXELS = 0x7FE00008  # Float Pixel Data; neither it nor what follows is header
_ITEM, _END_OF_ITEM, _END = (ITEMS << 16 | element for element in (ITEM, END_OF_ITEM, END_OF_SEQUENCE))
_FRAGMENTED = (b"OB", b"OW")  # of undefined length they are encapsulated pixels (PS3.5 A.4)
_WINDOW = 256 << 10  # bytes
_NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Found:
    """An element of the data set itself, from byte `start` of the data set to `end`, its tag and length included."""

    tag: int  # 0xGGGGEEEE
    start: int
    end: int
    elements: int  # elements, items and delimiters in it; 0 where it is no sequence
    items: int  # of them, the items of the sequence itself
    parts: Sequence[
        int
    ] = ()  # of FRAMES: where each item, each functional group and each delimiter begins, and the end


class Survey:
    """Counts the elements of a header, in sequences of defined and of undefined length alike (PS3.5 7.5)."""

    def __init__(
        self,
        source: Source,
        encoding: Encoding,
        is_sequence: Callable[[int], bool],
        everywhere_at_most: int = EVERYWHERE_AT_MOST,
    ) -> None:
        """Count no more than so many elements.

        `is_sequence` says what the dictionary says of a tag where the encoding does not tell (Implicit VR, UN).
        """
        self._source = source
        self._encoding = encoding
        self._is_sequence = is_sequence
        self._data, self._base = b"", 0  # a window, and the position of its first byte
        self._elsewhere = self._everywhere = 0
        self._everywhere_at_most = everywhere_at_most

    def found(self, behind: int = _PIXELS) -> list[Found]:
        """Return the elements ahead of the pixels, or of another tag, in their order.

        Raises:
            UnreadableError: the bytes are no elements, are cut off, or more than is read of any object.
        """
        found: list[Found] = []
        start = 0
        while self._has(start):
            tag, vr, at, length = self._head(start)
            if tag >= behind:
                break
            found.append(self._element(start, tag, vr, at, length))
            start = found[-1].end
            self._add(tag, 1 + found[-1].elements)
        return found

    def _element(self, start: int, tag: int, vr: bytes, at: int, length: int) -> Found:
        if length == UNDEFINED and vr in _FRAGMENTED:
            end, elements = self._behind_fragments(at, self._left(tag))
            return Found(tag, start, end, elements, 0)
        if length != UNDEFINED and not self._holds_items(tag, vr):
            return Found(tag, start, at + length, 0, 0)
        parts = array("Q")
        try:
            end, elements, items = self._count(at, length, self._left(tag), parts)
        except ExcessError:
            raise
        except UnreadableError:
            if length == UNDEFINED:
                raise
            return Found(tag, start, at + length, 0, 0)
        parts.append(end)
        return Found(tag, start, end, elements, items, parts if tag == FRAMES else ())

    def _left(self, tag: int) -> int:
        """Return how many elements more an element of this tag may hold."""
        everywhere = self._everywhere_at_most - self._everywhere
        return everywhere if tag == FRAMES or tag in REFERENCES else min(everywhere, ELEMENTS_AT_MOST - self._elsewhere)

    def _add(self, tag: int, elements: int) -> None:
        if elements > self._left(tag):
            raise ExcessError(_beyond(0))
        self._everywhere += elements
        if tag != FRAMES and tag not in REFERENCES:
            self._elsewhere += elements

    def _holds_items(self, tag: int, vr: bytes) -> bool:
        return vr == b"SQ" or (vr in (b"", b"UN") and self._is_sequence(tag))

    def _has(self, at: int) -> bool:
        """Say whether the data set has a byte at a position; one that begins behind its end is cut off."""
        if at - self._base < len(self._data):
            return True
        self._source.skip(at - self._base - len(self._data))
        self._data, self._base = self._source.read(_WINDOW), at
        return bool(self._data)

    def _head(self, at: int) -> tuple[int, bytes, int, int]:
        """Return an element's tag, VR ("" is an implicit one), where its value starts, and its length."""
        try:
            tag, vr, start, length = self._encoding.read_head(self._data, at - self._base)
            return tag, vr, self._base + start, length
        except struct.error:
            self._read_on(at)
            return self._head(at)

    def _read_on(self, at: int) -> None:
        if at - self._base > len(self._data):
            self._source.skip(at - self._base - len(self._data))
        more = self._source.read(_WINDOW)
        if not more:
            raise CutOffError("its header is cut off")
        self._data, self._base = self._data[at - self._base :] + more, at

    def _behind_fragments(self, at: int, at_most: int) -> tuple[int, int]:
        """Return where encapsulated pixels end, as an icon may have them, and how many fragments they are."""
        for fragments in range(1, at_most):
            tag, _, at, length = self._head(at)
            if tag == _END:
                return at, fragments
            at += length
        raise ExcessError(f"more than {at_most} fragments")

    def _count(self, at: int, length: int, at_most: int, parts: array[int]) -> tuple[int, int, int]:
        """Return where the sequence ends whose items begin at a position, how many elements it holds, and its items.

        `ends` has an entry for each sequence and each item that is open, by turns: where it ends, or never, where a
        delimiter says so. Where the items and what stands in them begin is added to `parts`.
        """
        ends = [_NEVER if length == UNDEFINED else at + length]
        elements = items = 0
        while ends:
            if at >= ends[-1]:
                _close(ends, at)
                continue
            if len(ends) <= 2:
                parts.append(at)
            elements += 1
            if elements > at_most or len(ends) > 2 * DEEPEST:
                raise ExcessError(_beyond(len(ends)))
            tag, vr, at, length = self._head(at)
            end = _NEVER if length == UNDEFINED else at + length
            if tag == (_END if len(ends) % 2 else _END_OF_ITEM) and ends[-1] == _NEVER:
                ends.pop()
            elif len(ends) % 2:
                if tag != _ITEM:
                    raise UnreadableError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) stands where an item should")
                items += len(ends) == 1
                ends.append(end)
            elif length == UNDEFINED and vr in _FRAGMENTED:
                at, fragments = self._behind_fragments(at, at_most - elements)
                elements += fragments
            elif length == UNDEFINED or self._holds_items(tag, vr):
                ends.append(end)
            else:
                at = int(end)
        return at, elements, items


def _close(ends: list[float], at: int) -> None:
    if at > ends.pop():
        raise UnreadableError("an item is longer than the sequence that it is in")


def _beyond(depth: int) -> str:
    if depth > 2 * DEEPEST:
        return f"its sequences are nested deeper than {DEEPEST}"
    return (
        f"its header holds more than {EVERYWHERE_AT_MOST} elements, or more than {ELEMENTS_AT_MOST} outside per-frame "
        "and referenced sequences"
    )
