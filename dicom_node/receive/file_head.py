"""What a received file has before its data set: who sent what, and how long the file has to be (PS3.10 7.1)."""

from __future__ import annotations

import struct
from pathlib import Path

from dicom_node.receive import command as dimse
from dicom_node.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_NAME

SIZE = struct.Struct("<Q")
"""The last bytes of a head: how many bytes the whole file has, 0 while it is being written."""

_PREAMBLE = bytes(128) + b"DICM"
_SHORT, _LONG = struct.Struct("<HH2sH"), struct.Struct("<HH2sxxL")  # PS3.5 7.1.2
_GROUP_LENGTH = _SHORT.pack(2, 0, b"UL", 4)
_LENGTH = struct.Struct("<L")
_LENGTH_AT = len(_PREAMBLE) + len(_GROUP_LENGTH)


def file_head(*, sop_class: str, instance: str, transfer_syntax: str, calling: str, called: str) -> bytes:
    """Return preamble and File Meta Information of a file (PS3.10 Table 7.1-1), from which the catalog can be rebuilt.

    It ends with `SIZE`, as private information of ours, (0002,0102): the file itself says whether it is whole.

    Args:
        sop_class: UID of what the data set is.
        instance: its SOP Instance UID.
        transfer_syntax: UID of the data set's encoding.
        calling: AE title of who sent it.
        called: AE title it was sent to.
    """
    sender = dimse.as_text(calling)
    elements = b"".join(
        (
            _LONG.pack(2, 0x0001, b"OB", 2) + b"\x00\x01",
            _short(0x0002, b"UI", dimse.as_uid(sop_class)),
            _short(0x0003, b"UI", dimse.as_uid(instance)),
            _short(0x0010, b"UI", dimse.as_uid(transfer_syntax)),
            _IMPLEMENTATION,
            _short(0x0016, b"AE", sender),
            _short(0x0017, b"AE", sender),
            _short(0x0018, b"AE", dimse.as_text(called)),
            _OURS,
            SIZE.pack(0),
        )
    )
    return _PREAMBLE + _GROUP_LENGTH + _LENGTH.pack(len(elements)) + elements


def is_whole(path: Path) -> bool:
    """Say whether a file that began with a head of ours has the size that it says.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        begin = file.read(_LENGTH_AT + _LENGTH.size)
        if len(begin) < _LENGTH_AT + _LENGTH.size or not begin.startswith(_PREAMBLE):
            return False
        (length,) = _LENGTH.unpack_from(begin, _LENGTH_AT)
        file.seek(len(begin) + length - SIZE.size)
        said = file.read(SIZE.size)
        return len(said) == SIZE.size and SIZE.unpack(said)[0] == path.stat().st_size


def _short(element: int, vr: bytes, value: bytes) -> bytes:
    return _SHORT.pack(2, element, vr, len(value)) + value


_IMPLEMENTATION = _short(0x0012, b"UI", dimse.as_uid(IMPLEMENTATION_CLASS_UID)) + _short(
    0x0013, b"SH", dimse.as_text(IMPLEMENTATION_NAME)
)
_OURS = _short(0x0100, b"UI", dimse.as_uid(IMPLEMENTATION_CLASS_UID)) + _LONG.pack(2, 0x0102, b"OB", SIZE.size)
