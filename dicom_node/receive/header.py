"""What a received object says it is, read from its first elements; the pixels are never touched."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from dicom_node.encoding import Encoding, UnreadableError, Walk, source_of
from dicom_node.encoding.meta import read_meta, text_of
from dicom_node.errors import EncodingError, ObjectError
from dicom_node.receive.file_head import read_sender
from dicom_node.uids import digest, is_uid

_HEAD = 16 << 10  # bytes of a file in which its UIDs nearly always lie
_WANTED = {
    "SOPClassUID": 0x00080016,
    "SOPInstanceUID": 0x00080018,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
}
_TAGS = frozenset(_WANTED.values())
_LAST, _END = max(_TAGS), 0xFFFFFFFF
_PATIENT_ID, _ISSUER = 0x00100020, 0x00100021
_INFLATE_AT_MOST = 64 << 20
"""Bytes of a deflated data set; 20,000 frames that name two images each take 12 MiB ahead of the UIDs."""


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
    certificate: str  # SHA-256 of the caller's client certificate, "" where the file does not say
    data_set_at: int  # byte offset of the data set behind the File Meta Information


def peek_identity(head: bytes | bytearray, transfer_syntax_uid: str, at: int) -> Identity | None:
    """Return the identifying UIDs if they lie in a data set's first bytes, which start at a position; else None.

    Raises:
        ObjectError: a UID is no UID.
    """
    found = _peek(head, transfer_syntax_uid, at, _TAGS)
    return None if found is None else _identity(found)


def read_identity(data_set: BinaryIO, size: int, transfer_syntax_uid: str) -> Identity:
    """Read the identifying UIDs of an encoded data set of so many bytes, from where the stream stands.

    Raises:
        EncodingError: the data set cannot be read, or more stands ahead of its UIDs than is read of any object.
        ObjectError: a UID is missing or no UID.
    """
    return _identity(_read(data_set, size, transfer_syntax_uid, _TAGS))


def read_header(path: Path) -> Header:
    """Read what a DICOM file (PS3.10 7.1) that was kept here says it is and who sent it.

    Raises:
        ObjectError: the file is no DICOM file that could have been received.
        OSError: the file cannot be opened.
    """
    tags = _TAGS | {_PATIENT_ID, _ISSUER}
    with path.open("rb") as file:
        head = file.read(_HEAD)
        try:
            meta = read_meta(head)
        except UnreadableError as error:
            raise ObjectError(path.name, "no File Meta Information") from error
        if not meta.transfer_syntax_uid:
            raise ObjectError(path.name, "its File Meta Information names no transfer syntax")
        found = _peek(head, meta.transfer_syntax_uid, meta.data_set_at, tags)
        if found is None:
            size = file.seek(0, os.SEEK_END) - meta.data_set_at
            file.seek(meta.data_set_at)
            found = _read(file, size, meta.transfer_syntax_uid, tags)
    address, certificate = read_sender(meta.address)
    return Header(
        identity=_identity(found),
        transfer_syntax_uid=meta.transfer_syntax_uid,
        patient=_patient(found.get(_PATIENT_ID), found.get(_ISSUER)),
        caller=meta.caller[:16],
        address=address,
        certificate=certificate,
        data_set_at=meta.data_set_at,
    )


def _peek(
    head: bytes | bytearray, transfer_syntax_uid: str, at: int, tags: Collection[int]
) -> Mapping[int, bytes] | None:
    encoding = Encoding.of(transfer_syntax_uid)
    if encoding.is_deflated:
        return None
    try:
        found = Walk(head, at, encoding).find(tags, _LAST)
    except UnreadableError:
        return None
    return found if found.keys() >= _TAGS else None


def _read(data_set: BinaryIO, size: int, transfer_syntax_uid: str, tags: Collection[int]) -> Mapping[int, bytes]:
    encoding = Encoding.of(transfer_syntax_uid)
    walk = Walk(b"", 0, encoding, source_of(data_set, size, encoding, _INFLATE_AT_MOST))
    try:
        found = walk.find(tags, _LAST)
    except UnreadableError as error:
        raise EncodingError("data set", str(error)) from error
    if missing := _TAGS - found.keys():
        _raise_out_of_order(walk, missing)
    return found


def _raise_out_of_order(walk: Walk, missing: Collection[int]) -> None:
    """Say of a UID that stands behind where it belongs that it does; return where it stands nowhere."""
    try:
        found = walk.find(missing, _END)
    except UnreadableError:  # whatever is behind, the UID is not where it belongs
        return
    for keyword, tag in _WANTED.items():
        if tag in found:
            raise EncodingError("data set", f"{keyword} is out of order, behind greater tags (PS3.5 7.1)")


@lru_cache(1024)  # the few of a push come again and again
def _patient(*values: bytes | None) -> str:
    """Return a digest that tells patients apart and names none."""
    return digest("patient", *(value.strip(b"\0 ").hex() if value else "" for value in values))[:32]


def _identity(found: Mapping[int, bytes]) -> Identity:
    values = {keyword: text_of(found.get(tag)) for keyword, tag in _WANTED.items()}
    for keyword, value in values.items():
        if not is_uid(value):
            raise ObjectError("data set", f"{keyword} is no UID" if value else f"{keyword} is missing")
    return Identity(*values.values())
