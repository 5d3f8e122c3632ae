"""What a received object says it is, read from its first elements; the pixels are never touched."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, JPIPHTJ2KReferencedDeflate
from pynetdicom.dsutils import split_dataset

from dicom_node.errors import ObjectError
from dicom_node.uids import is_uid

_WANTED = {
    "SOPClassUID": Tag(0x0008, 0x0016),
    "SOPInstanceUID": Tag(0x0008, 0x0018),
    "StudyInstanceUID": Tag(0x0020, 0x000D),
    "SeriesInstanceUID": Tag(0x0020, 0x000E),
}
_LAST = max(_WANTED.values())
_JPIP_REFERENCED_DEFLATE = "1.2.840.10008.1.2.4.95"
_DEFLATED = (DeflatedExplicitVRLittleEndian, _JPIP_REFERENCED_DEFLATE, JPIPHTJ2KReferencedDeflate)
_INFLATE_AT_MOST = 64 << 20
"""Bytes; a deflated data set's header ends long before, and a hostile one inflates without end."""


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
    caller: str  # calling AE title, "" where the file does not say
    data_set_at: int  # byte offset of the data set behind the File Meta Information


def read_identity(data_set: BinaryIO, transfer_syntax_uid: str) -> Identity:
    """Read the identifying UIDs of an encoded data set, from where the stream stands.

    Raises:
        ObjectError: the data set cannot be read, or a UID is missing or no UID.
    """
    syntax = UID(transfer_syntax_uid)
    if syntax in _DEFLATED:
        data_set = BytesIO(_inflated(data_set))
    try:
        elements = read_dataset(
            data_set,
            is_implicit_VR=syntax.is_implicit_VR,
            is_little_endian=syntax.is_little_endian,
            stop_when=_behind_the_last,
            specific_tags=list(_WANTED.values()),
        )
        values = {keyword: _text(elements.get_item(tag)) for keyword, tag in _WANTED.items()}
    except Exception as error:  # pydicom raises a dozen kinds on broken bytes
        raise ObjectError("data set", f"cannot be read as DICOM ({type(error).__name__})") from error
    for keyword, value in values.items():
        if not is_uid(value):
            raise ObjectError("data set", f"{keyword} is no UID" if value else f"{keyword} is missing")
    return Identity(
        sop_class_uid=values["SOPClassUID"],
        sop_instance_uid=values["SOPInstanceUID"],
        study_uid=values["StudyInstanceUID"],
        series_uid=values["SeriesInstanceUID"],
    )


def read_header(path: Path) -> Header:
    """Read what a DICOM file (PS3.10 7.1) says it is and who sent it.

    Raises:
        ObjectError: the file is no DICOM file that could have been received.
        OSError: the file cannot be opened.
    """
    try:
        meta, offset = split_dataset(path)
        syntax = str(meta["TransferSyntaxUID"].value)
        caller = str(meta.get("SendingApplicationEntityTitle") or meta.get("SourceApplicationEntityTitle") or "")
    except OSError:
        raise
    except Exception as error:  # pydicom raises a dozen kinds on broken bytes
        raise ObjectError(path.name, f"no File Meta Information ({type(error).__name__})") from error
    with path.open("rb") as file:
        file.seek(offset)
        return Header(read_identity(file, syntax), syntax, caller[:16], offset)


def _text(element: DataElement | RawDataElement | None) -> str:
    """Return a UID's raw text: pydicom's own conversion puts what is no UID into a log line, whatever it may be."""
    value = element.value if element else None
    return value.decode("ascii").rstrip("\0 ") if isinstance(value, bytes) else ""


def _inflated(data_set: BinaryIO) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data_set.read(), _INFLATE_AT_MOST)
    except zlib.error as error:
        raise ObjectError("data set", "is not deflated as its transfer syntax says") from error


def _behind_the_last(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return bool(tag > _LAST)
