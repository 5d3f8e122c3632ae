"""The bytes of a header that are worth decoding: surveyed first, without what would cost much and says nothing.

pydicom builds every item of a sequence of undefined length, at some 20 microseconds and 700 bytes each.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from dicom_node.encoding import (
    FRAMES,
    REFERENCES,
    REFERENCES_AT_MOST,
    Encoding,
    ExcessError,
    Found,
    FunctionalGroups,
    Source,
    Survey,
    UnreadableError,
    is_two_capitals,
    source_of,
)
from dicom_node.encoding.meta import read_meta
from dicom_node.errors import EncodingError, ObjectError

FRAMES_AT_MOST = 100_000
IMAGE_ELEMENTS_AT_MOST = 100_000  # outside per-frame and referenced sequences; real images have hundreds

_VALUE_AT_MOST = 64 << 10  # bytes; a private blob says nothing
_WIDE = 20_000  # elements of a sequence that is no functional group: structure sets and references have them
_NO_TAG = 1 << 32  # behind all
_AT_ONCE = 1 << 20  # bytes
_META_WITHIN = 64 << 10  # bytes of a file
_FEW_FRAMES = 1000  # that many functional groups cost nothing, whatever the object says that it has
_SHARED, _ROWS, _NUMBER_OF_FRAMES = 0x52009229, 0x00280010, 0x00280008
_MAY_BE_WIDE = REFERENCES | {FRAMES, _SHARED}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A header: its elements, and apart from them the functional groups of its frames, of which most are alike."""

    dataset: Dataset
    groups: FunctionalGroups


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a data set lies in an open file."""

    file: BinaryIO
    at: int
    size: int
    encoding: Encoding

    def source(self) -> Source:
        """Return its bytes from the first on."""
        self.file.seek(self.at)
        return source_of(self.file, self.size, self.encoding)

    def decoded(self, elements: Iterable[Found]) -> Dataset:
        """Decode elements, which are given in their order."""
        return self._decoded(BytesIO(_taken(self.source(), elements)))

    def decoded_behind(self, header: Sequence[Found], tags: Sequence[int]) -> Dataset:
        """Decode elements of what stands behind the header, its pixels for example."""
        source = self.source()
        source.skip(header[-1].end if header else 0)
        return self._decoded(BytesIO(_rest(source)) if self.encoding.is_deflated else self.file, tags)

    def groups(self, elements: Sequence[Found]) -> FunctionalGroups:
        """Return the functional groups of the frames that the elements tell of."""
        frames = next((element for element in elements if element.tag == FRAMES and element.parts), None)
        if frames is None:
            return FunctionalGroups(b"", (), self.encoding, _is_sequence)
        parts = [at - frames.start for at in frames.parts]
        return FunctionalGroups(_taken(self.source(), [frames]), parts, self.encoding, _is_sequence)

    def _decoded(self, file: BinaryIO, tags: Sequence[int] | None = None) -> Dataset:
        encoding = self.encoding
        return read_dataset(
            file, encoding.is_implicit, not encoding.is_big_endian, specific_tags=[Tag(tag) for tag in tags or ()]
        )


def decode_header(path: str) -> Decoded:
    """Decode a header up to its pixels, without values above 64 KiB and sequences of 20,000 elements.

    Raises:
        EncodingError: naming the path, where the bytes are no data set, or more than is read of any object.
        ObjectError: it is no DICOM file.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file, _naming(path):
        place = _place(path, file)
        elements = _bounded(place)
        return Decoded(place.decoded(filter(_says_something, elements)), place.groups(elements))


def decode_elements(path: str, tags: Sequence[int]) -> Decoded:
    """Decode some elements of an object, wherever they stand, and the functional groups of its frames.

    Raises:
        EncodingError: naming the path, where the bytes are no data set, or more than is read of an image.
        ObjectError: it is no DICOM file.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file, _naming(path):
        place = _place(path, file)
        elements = _bounded(place)
        _check_decodable(elements)
        dataset = place.decoded(element for element in elements if element.tag in tags)
        dataset.update(place.decoded_behind(elements, tags))
        return Decoded(dataset, place.groups(elements))


def decode_few(path: str, tags: Sequence[int], elements_at_most: int) -> Dataset:
    """Decode some elements of a header, which together hold no more than so many elements.

    Raises:
        EncodingError: naming the path, where the bytes are no data set, or more than is read of an image.
        ObjectError: it is no DICOM file.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file, _naming(path):
        place = _place(path, file)
        elements = [element for element in _bounded(place) if element.tag in tags]
        if sum(element.elements for element in elements) > elements_at_most:
            raise ExcessError(f"more than the {elements_at_most} elements that are decoded")
        return place.decoded(elements)


def is_light(path: str, elements_at_most: int, bytes_at_most: int) -> bool:
    """Say whether a whole object, with what stands behind its pixels, is read at once: small, and of few elements.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file, suppress(UnreadableError, ObjectError):
        place = _place(path, file)
        if place.size <= bytes_at_most and not place.encoding.is_deflated:
            Survey(place.source(), place.encoding, _is_sequence, elements_at_most).found(behind=_NO_TAG)
            return True
    return False


def check_header(path: str) -> None:
    """Let anything pass whose header may be decoded whole.

    Raises:
        EncodingError: naming the path, where the bytes are no data set, or more than is read of an image.
        ObjectError: it is no DICOM file.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file, _naming(path):
        _check_decodable(_bounded(_place(path, file)))


def decode_message(data: bytes, transfer_syntax_uid: str, elements_at_most: int) -> Dataset:
    """Decode the data set of a message whose elements are counted first.

    Raises:
        UnreadableError: the bytes are no data set, or it has more elements.
    """
    encoding = Encoding.of(transfer_syntax_uid)
    Survey(source_of(BytesIO(data), len(data), encoding), encoding, _is_sequence, elements_at_most).found()
    return read_dataset(BytesIO(data), encoding.is_implicit, not encoding.is_big_endian)


@contextmanager
def _naming(path: str) -> Iterator[None]:
    try:
        yield
    except UnreadableError as error:
        raise EncodingError(path, str(error)) from error


def _bounded(place: _Place) -> list[Found]:
    found = Survey(place.source(), place.encoding, _is_sequence).found()
    _check_width(found)
    _check_frames(found, place)
    return found


def _check_decodable(found: Iterable[Found]) -> None:
    for element in found:
        if element.elements > _WIDE and element.tag not in _MAY_BE_WIDE:
            problem = f"{element.elements} elements in a sequence, more than the {_WIDE} that are decoded"
            raise ExcessError(f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X}) holds {problem}")


def _check_width(found: Sequence[Found]) -> None:
    """Refuse an image that would take long to read: whoever reads its pixels builds all items."""
    if not any(element.tag == _ROWS for element in found):
        return
    references = sum(element.elements for element in found if element.tag in REFERENCES)
    others = sum(1 + element.elements for element in found if element.tag != FRAMES) - references
    for count, at_most, where in (
        (references, REFERENCES_AT_MOST, "in referenced sequences"),
        (others, IMAGE_ELEMENTS_AT_MOST, "outside per-frame and referenced sequences"),
    ):
        if count > at_most:
            raise ExcessError(f"an image with {count} elements {where}, more than the {at_most} that are read")


def _check_frames(found: Sequence[Found], place: _Place) -> None:
    """Refuse what has more functional groups than frames (PS3.3 C.7.6.16)."""
    groups = next((element.items for element in found if element.tag == FRAMES), 0)
    if groups <= _FEW_FRAMES:
        return
    said = place.decoded(element for element in found if element.tag == _NUMBER_OF_FRAMES).get("NumberOfFrames") or 1
    if groups > min(int(said), FRAMES_AT_MOST):
        raise ExcessError(
            f"PerFrameFunctionalGroupsSequence has {groups} items, NumberOfFrames is {said}, {FRAMES_AT_MOST} are read"
        )


def _place(path: str, file: BinaryIO) -> _Place:
    head = file.read(_META_WITHIN)
    try:
        meta = read_meta(head)
    except UnreadableError as error:
        raise ObjectError(path, "not a DICOM file") from error
    size = file.seek(0, os.SEEK_END) - meta.data_set_at
    if meta.transfer_syntax_uid:
        return _Place(file, meta.data_set_at, size, Encoding.of(meta.transfer_syntax_uid))
    vr = head[meta.data_set_at + 4 : meta.data_set_at + 6]
    return _Place(file, meta.data_set_at, size, Encoding(is_implicit=not is_two_capitals(vr)))


def _says_something(element: Found) -> bool:
    if element.elements:
        return not element.parts and (element.elements <= _WIDE or element.tag == _SHARED)
    return element.end - element.start <= _VALUE_AT_MOST


def _taken(source: Source, elements: Iterable[Found]) -> bytes:
    """Return the bytes of elements, which are in the order of their places."""
    taken, at = bytearray(), 0
    for element in elements:
        source.skip(element.start - at)
        at = element.start
        while at < element.end and (data := source.read(element.end - at)):
            taken += data
            at += len(data)
    return bytes(taken)


def _rest(source: Source) -> bytes:
    """Return all bytes that are left."""
    return b"".join(iter(lambda: source.read(_AT_ONCE), b""))


@functools.cache
def _is_sequence(tag: int) -> bool:
    """Say whether the dictionary has a sequence under this tag (PS3.6)."""
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"
