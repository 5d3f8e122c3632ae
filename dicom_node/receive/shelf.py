"""Where kept versions stand: storage/<study>/<series>/<sop instance>-<12 hex of its SHA-256>.dcm; wrecks aside."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dicom_node.receive.header import Header, read_header


@dataclass(frozen=True, slots=True)
class Found:
    """An object on disk."""

    path: Path
    header: Header
    size: int  # bytes of the file
    sha256: str  # of the data set
    at: float  # seconds since the epoch, when it was written
    problem: str = ""  # why it cannot be read; its header is then what else is known of it


class Shelf:
    """The folders below the storage folder; one thread at a time moves files in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = str(folder)
        self.incoming = folder / "incoming"
        self.ready = folder / "ready"
        self.associations = folder / "associations"
        self.storage = folder / "storage"
        self.comparing = folder / "comparing"  # versions of which it is not known yet what they count for
        self.versions = folder / "versions"
        self.removed = folder / "removed"  # what is known of versions whose files are gone
        self.decisions = folder / "decisions"
        self.conflicts = folder / "conflicts"  # of the time when one object was kept of each SOP Instance UID
        self.unreadable = folder / "unreadable"  # of the time when what could not be read had no row

    def make(self) -> None:
        """Make the folders that receivers and the registrar meet in."""
        for folder in (self.incoming, self.ready, self.associations):
            folder.mkdir(parents=True, exist_ok=True)

    def prove_disk(self) -> None:
        """Write and read on the disk, as who could not use a single file does to learn whether it is only that file.

        Raises:
            OSError: the disk would not let us.
        """
        os.listdir(self.incoming)  # noqa: PTH208 - nothing is done with the names
        with tempfile.TemporaryFile(dir=self.folder) as file:
            file.write(b"written")
            file.flush()
            os.fsync(file.fileno())

    def place_of(self, found: Found) -> str:
        """Return where a version belongs, below the folder; one that stands in its series' folder stays there."""
        identity = found.header.identity
        folder = f"{self.storage.name}/{identity.study_uid}/{identity.series_uid}"
        if found.path.parent.name == identity.series_uid and self.relative(found.path.parent) == folder:
            return f"{folder}/{found.path.name}"
        return f"{folder}/{identity.sop_instance_uid}-{found.sha256[:12]}.dcm"

    def whole(self, path: str) -> Path:
        """Return the path of what the catalog keeps below the storage folder."""
        return Path(f"{self._root}/{path}")

    def relative(self, path: Path) -> str:
        """Return a path as the catalog keeps it, below the storage folder."""
        return path.relative_to(self.folder).as_posix()


def find(path: Path) -> Found:
    """Read a file's header, and hash its data set.

    Raises:
        ObjectError: the file is not DICOM that could have been received.
        OSError: the file cannot be read.
    """
    header = read_header(path)
    with path.open("rb") as file:
        file.seek(header.data_set_at)
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
