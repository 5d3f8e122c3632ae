"""What a received file has before its data set: who sent what, and how to see that it is whole (PS3.10 7.1)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

from xxhash import xxh3_64

from dicom_node.receive import command as dimse
from dicom_node.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_NAME

_SEAL = struct.Struct("<QQ")  # bytes of the whole file; XXH3 of all of them but these
_NO_SEAL = bytes(_SEAL.size)
_PREAMBLE = bytes(128) + b"DICM"
_SHORT, _LONG = struct.Struct("<HH2sH"), struct.Struct("<HH2sxxL")  # PS3.5 7.1.2
_GROUP_LENGTH = _SHORT.pack(2, 0, b"UL", 4)
_LENGTH = struct.Struct("<L")
_LENGTH_AT = len(_PREAMBLE) + len(_GROUP_LENGTH)
_SCHEME, _SHOWN = "dicom://", "?sha256="
_CHUNK = 1 << 20  # bytes
_HEAD_AT_MOST = 1 << 10  # bytes; the longest UIDs and AE titles make half of it


def file_head(  # noqa: PLR0913  # each argument is an attribute of its own
    *,
    sop_class: str,
    instance: str,
    transfer_syntax: str,
    calling: str,
    called: str,
    address: str = "",
    certificate: str = "",
) -> bytes:
    """Return preamble and File Meta Information of a file (PS3.10 Table 7.1-1), from which the catalog can be rebuilt.

    It ends with a seal, as private information of ours, (0002,0102), which is empty until all has come.

    Args:
        sop_class: UID of what the data set is.
        instance: its SOP Instance UID.
        transfer_syntax: UID of the data set's encoding.
        calling: AE title of who sent it.
        called: AE title it was sent to.
        address: IP address of who sent it, "" where that is not known.
        certificate: SHA-256 of the client certificate of who sent it, "" without TLS.
    """
    begin = _begin(sop_class)
    own = _short(0x0003, b"UI", dimse.as_uid(instance))
    end = _end(transfer_syntax, calling, called, address, certificate)
    length = _LENGTH.pack(len(begin) + len(own) + len(end))
    return b"".join((_PREAMBLE, _GROUP_LENGTH, length, begin, own, end))


class Seal:
    """Makes a file say of itself how long it is and what it holds, so that a sync of its bytes is all that it needs.

    A file that was made ahead has its length from the start, and after a crash of the system any part of it may be
    missing: its length alone says nothing.
    """

    def __init__(self, head: bytes) -> None:
        """`head` is a `file_head`."""
        self._at = len(head) - _SEAL.size
        self._size = len(head)
        self._hash = xxh3_64(head[: self._at])

    def add(self, fragment: memoryview) -> None:
        """Take in the next bytes of the data set."""
        self._size += len(fragment)
        self._hash.update(fragment)

    def put(self, file: int) -> None:
        """Write the seal of what was added into an open file.

        Raises:
            OSError: it cannot be written.
        """
        os.pwrite(file, self._value(), self._at)

    def put_into(self, begin: bytearray) -> None:
        """Put the seal of what was added into the file's first bytes, which are still to be written."""
        begin[self._at : self._at + _SEAL.size] = self._value()

    def _value(self) -> bytes:
        return _SEAL.pack(self._size, self._hash.intdigest())


def is_begun(path: Path) -> bool:
    """Say whether anything was written into a file that may have been made ahead.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_PREAMBLE)) == _PREAMBLE


def is_whole(path: Path) -> bool:
    """Say whether a file that began with a head of ours is what its seal says; zeros may follow.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        found = _read_head(file.read(_HEAD_AT_MOST))
        if found is None:
            return False
        head, (size, said) = found
        found_hash = xxh3_64(head)
        file.seek(len(head) + _SEAL.size)
        left = size - len(head) - _SEAL.size
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            found_hash.update(chunk)
            left -= len(chunk)
        return left == 0 and found_hash.intdigest() == said


def trim(paths: Iterable[Path]) -> None:
    """Cut off what files have behind their objects, durably; what is gone, or no file of ours, is left alone.

    All are cut before the first is synced: a file system with a journal then has one commit for all of them.

    Raises:
        OSError: one cannot be read or written.
    """
    with ExitStack() as stack:
        for file in [file for path in paths if (file := _trimmed(path, stack)) is not None]:
            os.fsync(file)


def _trimmed(path: Path, stack: ExitStack) -> int | None:
    """Return the descriptor of a file that had to be cut."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    stack.callback(os.close, file)
    found = _read_head(os.pread(file, _HEAD_AT_MOST, 0))
    status = os.fstat(file)
    if found is None or not 0 < (size := found[1][0]) < status.st_size:
        return None
    os.ftruncate(file, size)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # which say when it came
    return file


def _read_head(begin: bytes) -> tuple[bytes, tuple[int, int]] | None:
    """Return the bytes before the seal, and the seal; None where no head of ours stands at the beginning."""
    if len(begin) < _LENGTH_AT + _LENGTH.size or not begin.startswith(_PREAMBLE):
        return None
    at = _LENGTH_AT + _LENGTH.size + _LENGTH.unpack_from(begin, _LENGTH_AT)[0] - _SEAL.size
    if not begin[:at].endswith(_OURS) or len(begin) < at + _SEAL.size:
        return None
    return begin[:at], _SEAL.unpack_from(begin, at)


@lru_cache
def _begin(sop_class: str) -> bytes:
    return _LONG.pack(2, 0x0001, b"OB", 2) + b"\x00\x01" + _short(0x0002, b"UI", dimse.as_uid(sop_class))


@lru_cache
def _end(transfer_syntax: str, calling: str, called: str, address: str, certificate: str) -> bytes:
    sender = dimse.as_text(calling)
    return b"".join(
        (
            _short(0x0010, b"UI", dimse.as_uid(transfer_syntax)),
            _IMPLEMENTATION,
            _short(0x0016, b"AE", sender),
            _short(0x0017, b"AE", sender),
            _short(0x0018, b"AE", dimse.as_text(called)),
            _presentation_address(address, certificate),
            _OURS,
            _NO_SEAL,
        )
    )


def _presentation_address(address: str, certificate: str) -> bytes:
    """Return the Sending Presentation Address (PS3.10 7.1), from which `read_sender` reads address and certificate."""
    if not address:
        return b""
    host = f"[{address}]" if ":" in address else address
    value = dimse.as_text(f"{_SCHEME}{host}{_SHOWN}{certificate}" if certificate else f"{_SCHEME}{host}")
    return _LONG.pack(2, 0x0027, b"UR", len(value)) + value


def read_sender(presentation_address: str) -> tuple[str, str]:
    """Return IP address and certificate (SHA-256) of a Sending Presentation Address that `file_head` wrote.

    Each is "" where it is not said, or where somebody else wrote the address.
    """
    if not presentation_address.startswith(_SCHEME):
        return "", ""
    host, _, certificate = presentation_address.removeprefix(_SCHEME).strip().partition(_SHOWN)
    return host.strip("[]"), certificate


def _short(element: int, vr: bytes, value: bytes) -> bytes:
    return _SHORT.pack(2, element, vr, len(value)) + value


_IMPLEMENTATION = _short(0x0012, b"UI", dimse.as_uid(IMPLEMENTATION_CLASS_UID)) + _short(
    0x0013, b"SH", dimse.as_text(IMPLEMENTATION_NAME)
)
_OURS = _short(0x0100, b"UI", dimse.as_uid(IMPLEMENTATION_CLASS_UID)) + _LONG.pack(2, 0x0102, b"OB", _SEAL.size)
