"""An object to a file: its data set, then what is made as it is written, so that no SEG stands in memory whole."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, ExplicitVRLittleEndian


def _nothing() -> Iterable[bytes]:
    return ()


@dataclass(frozen=True, slots=True)
class Made:
    """An encoded object before the patient is stamped on it."""

    dataset: Dataset
    tail: Callable[[], Iterable[bytes]] = _nothing  # the elements with the highest tags, explicit little endian
    syntax: UID = ExplicitVRLittleEndian  # transfer syntax
    series: str = ""  # where a kind has more than one: which


def element(keyword: str, value: bytes) -> Iterator[bytes]:
    """Yield a sequence's element in explicit little endian: header, then value (PS3.5 7.1.2)."""
    tag = tag_for_keyword(keyword) or 0
    yield struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, dictionary_VR(tag).encode(), 0, len(value))
    yield value


def large_element(keyword: str, vr: str, length: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield an element of `length` bytes, made in pieces, in explicit little endian, padded to an even length."""
    tag = tag_for_keyword(keyword) or 0
    yield struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length + length % 2)
    yield from pieces
    yield b"\0" * (length % 2)


def write(dataset: FileDataset, tail: Iterable[bytes], path: Path) -> str:
    """Write a file durably; return its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w+b") as file:
        dataset.save_as(file, enforce_file_format=True)
        file.seek(0, os.SEEK_END)
        file.writelines(tail)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()
