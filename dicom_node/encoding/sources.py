"""Where the bytes of a data set come from: a file, or a deflated one, inflated piece by piece and never whole."""

from __future__ import annotations

import os
import zlib
from typing import BinaryIO, Protocol

from dicom_node.encoding.errors import CutOffError, ExcessError, UnreadableError
from dicom_node.encoding.syntax import Encoding

INFLATED_AT_MOST = 512 << 20
"""Bytes of a deflated data set that are inflated; twice what the header of an enhanced MR of 20,000 frames takes."""
_CHUNK = 64 << 10  # bytes


class Source(Protocol):
    """Bytes in their order."""

    def read(self, count: int) -> bytes:
        """Return the next bytes, at most `count`; none at the end.

        Raises:
            UnreadableError: they are not what they should be, or too many.
        """

    def skip(self, count: int) -> None:
        """Pass over bytes.

        Raises:
            CutOffError: there are fewer.
            UnreadableError: as `read` does.
        """


class FileSource:
    """An open file from where it stands."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        """`size` is the number of bytes that belong to the data set."""
        self._file = file
        self._left = size

    def read(self, count: int) -> bytes:
        """Return the next bytes, at most `count`; none at the end."""
        data = self._file.read(min(count, self._left))
        self._left -= len(data)
        return data

    def skip(self, count: int) -> None:
        """Pass over bytes, without reading them."""
        if count > self._left:
            raise CutOffError("the data set is cut off")
        self._left -= count
        self._file.seek(count, os.SEEK_CUR)


class InflatedSource:
    """What a raw deflate stream holds (PS3.5 A.5)."""

    def __init__(self, deflated: Source, at_most: int = INFLATED_AT_MOST) -> None:
        self._deflated = deflated
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._rest = b""
        self._left = self._at_most = at_most

    def read(self, count: int) -> bytes:
        """Return the next bytes, at most `count`; none at the end."""
        while not self._stream.eof:
            deflated = self._rest or self._deflated.read(_CHUNK)
            try:
                inflated = self._stream.decompress(deflated, count)
            except zlib.error as error:
                raise UnreadableError("the data set is not deflated as its transfer syntax says") from error
            self._rest = self._stream.unconsumed_tail
            self._left -= len(inflated)
            if self._left < 0:
                raise ExcessError(f"it inflates to more than the {self._at_most >> 20} MiB of a header that are read")
            if inflated or not deflated:
                return inflated
        return b""

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        while count:
            data = self.read(min(count, _CHUNK))
            if not data:
                raise CutOffError("the data set is cut off")
            count -= len(data)


def source_of(file: BinaryIO, size: int, encoding: Encoding, at_most: int = INFLATED_AT_MOST) -> Source:
    """Return the bytes of the data set of `size` bytes that a file stands at."""
    stored = FileSource(file, size)
    return InflatedSource(stored, at_most) if encoding.is_deflated else stored
