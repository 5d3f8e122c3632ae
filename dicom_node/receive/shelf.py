"""Where kept objects stand: storage/<study>/<series>/<sop instance>.dcm, with conflicts and wrecks aside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from dicom_node.receive.header import Header, read_header

_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A whole, readable object on disk."""

    path: Path
    header: Header
    size: int  # bytes of the file
    sha256: str  # of the file
    at: float  # seconds since the epoch, when it was written

    def at_place(self, path: Path) -> Found:
        """Return the same object after it was moved."""
        return replace(self, path=path)


class Shelf:
    """The folders below the storage folder; one thread at a time moves files in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming = folder / "incoming"
        self.ready = folder / "ready"
        self.associations = folder / "associations"
        self.storage = folder / "storage"
        self.conflicts = folder / "conflicts"
        self.unreadable = folder / "unreadable"

    def make(self) -> None:
        """Make the folders that receivers and the registrar meet in."""
        for folder in (self.incoming, self.ready, self.associations):
            folder.mkdir(parents=True, exist_ok=True)

    def place_of(self, header: Header) -> Path:
        """Return where an object belongs."""
        identity = header.identity
        return self.storage / identity.study_uid / identity.series_uid / f"{identity.sop_instance_uid}.dcm"

    def conflict_of(self, found: Found) -> Path:
        """Return where an object belongs whose SOP Instance UID another object already has."""
        return self.conflicts / f"{found.header.identity.sop_instance_uid}-{found.sha256[:12]}.dcm"

    def relative(self, path: Path) -> str:
        """Return a path as the catalog keeps it, below the storage folder."""
        return path.relative_to(self.folder).as_posix()


def find(path: Path) -> Found:
    """Read a file's header and hash.

    Raises:
        ObjectError: the file is not DICOM that could have been received.
        OSError: the file cannot be read.
    """
    header = read_header(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    status = path.stat()
    return Found(path, header, status.st_size, sha256, status.st_mtime)


def move(path: Path, target: Path) -> Path:
    """Move a file within the storage folder's file system, making the folders on its way."""
    try:
        return path.rename(target)
    except FileNotFoundError:  # nearly always the folder is there
        target.parent.mkdir(parents=True, exist_ok=True)
        return path.rename(target)


def same_data_set(one: Found, other: Found) -> bool:
    """Say whether two files hold the same encoded data set; who sent it and when does not matter."""
    if one.sha256 == other.sha256:
        return True
    if one.size - one.header.data_set_at != other.size - other.header.data_set_at:
        return False
    with one.path.open("rb") as first, other.path.open("rb") as second:
        first.seek(one.header.data_set_at)
        second.seek(other.header.data_set_at)
        return all(left == right for left, right in zip_longest(_chunks(first), _chunks(second)))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
