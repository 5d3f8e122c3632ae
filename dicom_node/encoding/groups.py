"""Per-Frame Functional Groups as bytes (PS3.3 C.7.6.16): most repeat from frame to frame, so each need be read once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from io import BytesIO

from pydicom import Dataset
from pydicom.filereader import read_dataset

from dicom_node.encoding.syntax import END_OF_ITEM, END_OF_SEQUENCE, ITEM, ITEMS, UNDEFINED, Encoding

_ITEM, _END_OF_ITEM, _END = (ITEMS << 16 | element for element in (ITEM, END_OF_ITEM, END_OF_SEQUENCE))


class FunctionalGroups:
    """The encoded functional groups of each frame; those of a frame are an iterable of bytes."""

    def __init__(
        self, data: bytes, parts: Sequence[int], encoding: Encoding, is_sequence: Callable[[int], bool]
    ) -> None:
        """`parts` are the positions at which an item, a group or a delimiter begins, and that of the end.

        `is_sequence` says what the dictionary says of a tag.
        """
        self._encoding = encoding
        self._is_sequence = is_sequence
        self._frames: list[list[bytes]] = []
        for first, behind in itertools.pairwise(parts):
            tag = encoding.read_head(data, first)[0]
            if tag == _ITEM:
                self._frames.append([])
            elif tag not in (_END_OF_ITEM, _END):
                self._frames[-1].append(data[first:behind])

    def __len__(self) -> int:
        """Return the number of frames that have functional groups."""
        return len(self._frames)

    def __getitem__(self, number: int) -> Sequence[bytes]:
        """Return the groups of a frame, counted from 0."""
        return self._frames[number]

    def __iter__(self) -> Iterator[Sequence[bytes]]:
        """Return the groups of frame after frame."""
        return iter(self._frames)

    def decode(self, group: bytes, character_set: str | MutableSequence[str]) -> Dataset:
        """Return an item that holds one group, with its object's character set as pydicom names it."""
        encoding = self._encoding
        return read_dataset(
            BytesIO(group), encoding.is_implicit, not encoding.is_big_endian, parent_encoding=character_set
        )

    def flatten(self, group: bytes) -> bytes:
        """Return the tags and values in a group, in their order, without what differs between encodings of the same.

        An item is its tag alone; VRs, lengths and delimiters are left out.
        """
        flat, at = bytearray(), 0
        while at < len(group):
            tag, vr, start, length = self._encoding.read_head(group, at)
            is_opened = (
                length == UNDEFINED or vr == b"SQ" or tag == _ITEM or (vr in (b"", b"UN") and self._is_sequence(tag))
            )
            end = start if is_opened else start + length
            if tag not in (_END_OF_ITEM, _END):
                flat += tag.to_bytes(4, "big") + group[start:end]
            at = end
        return bytes(flat)
