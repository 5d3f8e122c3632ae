"""Streams of each accepted transfer syntax of which bits were altered, or parts cut, zeroed or repeated."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from tests.faults.fuzz.inputs import Input, give_identity, stored_object
from tests.support.dicom import data_set_bytes, encoded
from tests.support.syntaxes import DECODED, in_syntax

KIND = "altered stream"
_PIXELS = {False: b"\xe0\x7f\x10\x00", True: b"\x7f\xe0\x00\x10"}  # tag of Pixel Data, by whether big endian
_WHOLE = 0.2  # of the inputs are altered anywhere behind their UIDs, the rest in their pixels only


def make(random: Random, called: str) -> Input:
    """Return a radiograph in any decoded transfer syntax, its stream altered."""
    return altered(random, called, random.choice(DECODED))


def altered(random: Random, called: str, syntax: UID) -> Input:
    """Return a radiograph in a transfer syntax, its stream altered."""
    dataset = original(syntax)
    give_identity(dataset, random)
    data_set = _altered_data_set(dataset, random)
    return Input(KIND, stored_object(dataset, called, data_set), str(dataset.SOPInstanceUID), syntax=str(syntax))


@cache
def original(syntax: UID) -> Dataset:
    """Return the radiograph that is altered; the same object every time."""
    with tempfile.TemporaryDirectory() as folder:
        return in_syntax(syntax, Path(folder))


def _altered_data_set(dataset: Dataset, random: Random) -> bytes:
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and random.random() > _WHOLE:
        return data_set_bytes(encoded(_with_altered_frame(dataset, random)))
    data_set = data_set_bytes(encoded(dataset))
    if syntax == DeflatedExplicitVRLittleEndian:
        return _alter(data_set, random, len(data_set) // 2)
    pixels = data_set.rindex(_PIXELS[not syntax.is_little_endian])
    return _alter(data_set, random, pixels // 2 if random.random() < _WHOLE else pixels)


def _with_altered_frame(dataset: Dataset, random: Random) -> Dataset:
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    changed = Dataset({tag: dataset.get_item(tag) for tag in dataset.keys()})  # noqa: SIM118  # undecoded
    changed.file_meta = dataset.file_meta
    changed.add_new("PixelData", "OB", encapsulate([_alter(frame, random)]))
    return changed


def _alter(data: bytes, random: Random, first: int = 0) -> bytes:
    """Return bytes of which some from a position on are altered."""
    return random.choice(_WAYS)(data, random, first)


def _flip_bits(data: bytes, random: Random, first: int) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        changed[random.randrange(first, len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(data: bytes, random: Random, first: int) -> bytes:
    return data[: random.randrange(max(first, 4), len(data))]


def _zero(data: bytes, random: Random, first: int) -> bytes:
    start = random.randrange(first, len(data))
    length = min(random.choice((1, 4, 64, 1024)), len(data) - start)
    return data[:start] + bytes(length) + data[start + length :]


def _repeat(data: bytes, random: Random, first: int) -> bytes:
    start = random.randrange(first, len(data))
    return data[:start] + data[start : start + 2 * random.choice((1, 8, 64))] + data[start:]


def _drop(data: bytes, random: Random, first: int) -> bytes:
    start = random.randrange(first, len(data))
    return (data[:start] + data[start + 2 * random.choice((1, 8, 64)) :]).ljust(4, b"\0")


_WAYS: tuple[Callable[[bytes, Random, int], bytes], ...] = (
    _flip_bits,
    _flip_bits,
    _flip_bits,
    _cut,
    _zero,
    _repeat,
    _drop,
)
