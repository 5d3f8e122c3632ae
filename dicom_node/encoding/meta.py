"""The File Meta Information of a DICOM file (PS3.10 7.1), as far as reading the data set and its sender needs it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dicom_node.encoding.errors import CutOffError, UnreadableError
from dicom_node.encoding.syntax import LONG_VRS, Encoding
from dicom_node.encoding.walk import Walk

_META_AT = 132  # behind the preamble and "DICM" (PS3.10 7.1)
_GROUP = 0x0002FFFF  # the last tag of the group
_SOP_INSTANCE, _TRANSFER_SYNTAX = 0x00020003, 0x00020010
_SOURCE, _SENDING, _SENT_FROM = 0x00020016, 0x00020017, 0x00020027
_WANTED = (_SOP_INSTANCE, _TRANSFER_SYNTAX, _SOURCE, _SENDING, _SENT_FROM)
_EXPLICIT = Encoding()
_IN_GROUP = b"\x02\x00"
_NEXT_GROUP = b"\x08\x00\x00\x00UL\x00\x00"  # an element that ends the reading of the group


@dataclass(frozen=True, slots=True)
class Meta:
    """What stands before the data set."""

    sop_instance_uid: str  # "" where the file does not say
    transfer_syntax_uid: str  # "" where the file does not say
    caller: str  # calling AE title of who sent it, "" where the file does not say
    address: str  # presentation address of who sent it, "" where the file does not say
    data_set_at: int  # byte offset of the data set


def read_meta(head: bytes) -> Meta:
    """Read the group from a file's first bytes.

    Raises:
        UnreadableError: it is not there.
    """
    if head[_META_AT - 4 : _META_AT] != b"DICM":
        raise UnreadableError("no preamble")
    data_set_at = _behind_group(head)
    group = head[:data_set_at] + _NEXT_GROUP
    found = Walk(group, _META_AT, _EXPLICIT).find(_WANTED, _GROUP)
    caller = text_of(found.get(_SENDING) or found.get(_SOURCE))
    uids = text_of(found.get(_SOP_INSTANCE)), text_of(found.get(_TRANSFER_SYNTAX))
    return Meta(*uids, caller, text_of(found.get(_SENT_FROM)), data_set_at)


def text_of(value: bytes | None) -> str:
    """Return a UI or AE value without its padding, "" where there is none."""
    return value.decode("ascii", "replace").rstrip("\0 ") if value else ""


def _behind_group(head: bytes) -> int:
    at = _META_AT
    try:
        while head[at : at + 2] == _IN_GROUP:
            _, _, vr, length = _EXPLICIT.head.unpack_from(head, at)
            at += 12 + _EXPLICIT.long.unpack_from(head, at + 8)[0] if vr in LONG_VRS else 8 + length
    except struct.error as error:
        raise CutOffError("the File Meta Information is cut off") from error
    return at
