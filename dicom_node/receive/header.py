"""What a received object says it is, read from its first elements; the pixels are never touched."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPIPHTJ2KReferencedDeflate,
)

from dicom_node.errors import ObjectError
from dicom_node.receive.file_head import sending_address
from dicom_node.receive.peek import UnreadableError, behind_group, peek
from dicom_node.uids import digest, is_uid

_HEAD = 16 << 10  # bytes of a data set in which its UIDs nearly always lie

_WANTED = {
    "SOPClassUID": Tag(0x0008, 0x0016),
    "SOPInstanceUID": Tag(0x0008, 0x0018),
    "StudyInstanceUID": Tag(0x0020, 0x000D),
    "SeriesInstanceUID": Tag(0x0020, 0x000E),
}
_PATIENT_ID, _ISSUER = Tag(0x0010, 0x0020), Tag(0x0010, 0x0021)
_NUMBERS = {keyword: int(tag) for keyword, tag in _WANTED.items()}
_TAGS = frozenset(_NUMBERS.values())
_LAST = max(_TAGS)
_TAGS_AND_PATIENT = _TAGS | {int(_PATIENT_ID), int(_ISSUER)}
_META_AT = 132  # behind the preamble and "DICM" (PS3.10 7.1)
_META_TAGS = frozenset((0x00020010, 0x00020016, 0x00020017, 0x00020027))
_NEXT_GROUP = b"\x08\x00\x00\x00UL\x00\x00"  # an element that ends the reading of File Meta Information
_TRANSFER_SYNTAX, _SOURCE, _SENDING, _SENT_FROM = 0x00020010, 0x00020016, 0x00020017, 0x00020027
_JPIP_REFERENCED_DEFLATE = "1.2.840.10008.1.2.4.95"
_DEFLATED = (DeflatedExplicitVRLittleEndian, _JPIP_REFERENCED_DEFLATE, JPIPHTJ2KReferencedDeflate)
_BEYOND_PEEKING = frozenset((*map(str, _DEFLATED), str(ExplicitVRBigEndian)))
_IMPLICIT = str(ImplicitVRLittleEndian)
_INFLATE_AT_MOST = 8 << 20
"""Bytes; a deflated data set's header ends long before, and a hostile one inflates without end."""
_CHUNK = 64 << 10  # bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """The UIDs that say what an object is and where it belongs; each can stand as a file name."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str


@dataclass(frozen=True, slots=True)
class Header:
    """What a kept file says about itself."""

    identity: Identity
    transfer_syntax_uid: str
    patient: str  # digest of PatientID and IssuerOfPatientID
    caller: str  # calling AE title, "" where the file does not say
    address: str  # IP address of the caller, "" where the file does not say
    data_set_at: int  # byte offset of the data set behind the File Meta Information


def peek_identity(head: bytes | bytearray, transfer_syntax_uid: str, at: int = 0) -> Identity | None:
    """Return the identifying UIDs if they lie in a data set's first bytes, which start at a position; else None.

    Raises:
        ObjectError: a UID is missing or no UID.
    """
    values = _peek(head, transfer_syntax_uid, at, _TAGS)
    return None if values is None else _identity({keyword: _text(values.get(tag)) for keyword, tag in _NUMBERS.items()})


def _peek(head: bytes | bytearray, transfer_syntax_uid: str, at: int, tags: frozenset[int]) -> dict[int, bytes] | None:
    if transfer_syntax_uid in _BEYOND_PEEKING:
        return None
    try:
        return peek(head, at, tags, _LAST, implicit=transfer_syntax_uid == _IMPLICIT)
    except UnreadableError:
        return None


def read_identity(data_set: BinaryIO, transfer_syntax_uid: str) -> Identity:
    """Read the identifying UIDs of an encoded data set, from where the stream stands.

    Raises:
        ObjectError: the data set cannot be read, or a UID is missing or no UID.
    """
    values = _read(data_set, transfer_syntax_uid)
    return _identity({keyword: _text(values.get(tag)) for keyword, tag in _NUMBERS.items()})


def _read(data_set: BinaryIO, transfer_syntax_uid: str) -> dict[int, bytes | None]:
    """Return the raw values of what says whose an object is and where it belongs.

    Raises:
        ObjectError: the data set cannot be read.
    """
    syntax = UID(transfer_syntax_uid)
    if syntax in _DEFLATED:
        data_set = BytesIO(_inflated(data_set))
    wanted: list[BaseTag | int] = [*_WANTED.values(), _PATIENT_ID, _ISSUER]
    try:
        elements = read_dataset(
            data_set,
            is_implicit_VR=syntax.is_implicit_VR,
            is_little_endian=syntax.is_little_endian,
            stop_when=_behind_the_last,
            specific_tags=wanted,
        )
        return {int(tag): _raw(elements.get_item(tag)) for tag in wanted}
    except Exception as error:  # pydicom raises a dozen kinds on broken bytes
        raise ObjectError("data set", f"cannot be read as DICOM ({type(error).__name__})") from error


def read_header(path: Path) -> Header:
    """Read what a DICOM file (PS3.10 7.1) that was kept here says it is, whose it is, and who sent it.

    Raises:
        ObjectError: the file is no DICOM file that could have been received.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_META_AT + _HEAD)
        try:
            data_set_at = _behind_meta(head)
            meta = peek(head[:data_set_at] + _NEXT_GROUP, _META_AT, _META_TAGS, _SENT_FROM)
            syntax = UID(_text(meta[_TRANSFER_SYNTAX]))
        except (UnreadableError, KeyError) as error:
            raise ObjectError(path.name, "no File Meta Information") from error
        values: Mapping[int, bytes | None] | None = _peek(head, syntax, data_set_at, _TAGS_AND_PATIENT)
        if values is None:
            file.seek(data_set_at)
            values = _read(file, syntax)
    return Header(
        identity=_identity({keyword: _text(values.get(tag)) for keyword, tag in _NUMBERS.items()}),
        transfer_syntax_uid=str(syntax),
        patient=_patient(values.get(_PATIENT_ID), values.get(_ISSUER)),
        caller=_text(meta.get(_SENDING) or meta.get(_SOURCE))[:16],
        address=sending_address(_text(meta.get(_SENT_FROM))),
        data_set_at=data_set_at,
    )


@lru_cache(1024)  # the few of a push come again and again
def _patient(*values: bytes | None) -> str:
    """Return a digest that tells patients apart and names none."""
    return digest("patient", *(value.strip(b"\0 ").hex() if value else "" for value in values))[:32]


def _behind_meta(head: bytes) -> int:
    if head[_META_AT - 4 : _META_AT] != b"DICM":
        raise UnreadableError("no preamble")
    return behind_group(head, _META_AT)


def _identity(values: dict[str, str]) -> Identity:
    for keyword, value in values.items():
        if not is_uid(value):
            raise ObjectError("data set", f"{keyword} is no UID" if value else f"{keyword} is missing")
    return Identity(*values.values())


def _raw(element: DataElement | RawDataElement | None) -> bytes | None:
    """Return a UID's raw text: pydicom's own conversion puts what is no UID into a log line, whatever it may be."""
    value = element.value if element else None
    return value if isinstance(value, bytes) else None


def _text(value: bytes | None) -> str:
    return value.decode("ascii", "replace").rstrip("\0 ") if value else ""


def _inflated(data_set: BinaryIO) -> bytes:
    """Return the first bytes of a deflated data set, as many as its header may have."""
    inflating, inflated = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
    try:
        while (chunk := data_set.read(_CHUNK)) and len(inflated) < _INFLATE_AT_MOST:
            inflated += inflating.decompress(chunk, _INFLATE_AT_MOST - len(inflated))
    except zlib.error as error:
        raise ObjectError("data set", "is not deflated as its transfer syntax says") from error
    return bytes(inflated)


def _behind_the_last(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return bool(tag > _LAST)
