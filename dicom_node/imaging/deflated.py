"""A guard against deflated data sets that inflate without end (PS3.5 A.5): pydicom inflates them whole, in memory."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_node.errors import ObjectError

_AT_MOST = 1 << 30  # bytes, inflated: more than any image that is sent deflated
_CHUNK = 1 << 20
_META_WITHIN = 1 << 10  # bytes; the transfer syntax is the fourth element of a file (PS3.10 7.1)


def refuse_bomb(path: str) -> None:
    """Let anything pass but a deflated data set that is larger than memory should hold; nothing is kept in memory.

    Raises:
        ObjectError: naming the path.
        OSError: the file cannot be read.
        zlib.error: the data set is not deflated as its transfer syntax says.
    """
    with Path(path).open("rb") as file:
        if DeflatedExplicitVRLittleEndian.encode() not in file.read(_META_WITHIN):
            return
        meta = read_file_meta_info(path)
        file.seek(128 + 4 + 12 + int(meta.FileMetaInformationGroupLength))  # preamble, "DICM", the length's own element
        if meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian and _inflated_size(file) > _AT_MOST:
            raise ObjectError(path, f"inflates to more than the {_AT_MOST >> 30} GiB that are read")


def _inflated_size(file: BinaryIO) -> int:
    """Return the number of bytes that a raw deflate stream holds; counting ends beyond what is allowed."""
    stream, size, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, b""
    while size <= _AT_MOST and not stream.eof:
        compressed = rest or file.read(_CHUNK)
        if not compressed:
            break
        size += len(stream.decompress(compressed, _CHUNK))
        rest = stream.unconsumed_tail
    return size
