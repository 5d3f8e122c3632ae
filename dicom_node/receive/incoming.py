"""Durable writing of what arrives: one sync, and only then the answer (PS3.4 B.2.3).

An object is written into a file that was made ahead. When all of it is there, the file is sealed and synced, and one
rename puts it into the folder of what has come in, the queue between receivers and registrar.
What lies there, as `TIME.ASSOCIATION.dcm`, is safe. What a crash leaves among the files made ahead is whole where its
seal says so. An association's mark is locked while the association lives.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from dicom_node.config import Storage
from dicom_node.receive import marks
from dicom_node.receive.early import BEGIN_AT, begin_writing
from dicom_node.receive.file_head import Seal
from dicom_node.receive.ready import ReadyFiles
from dicom_node.receive.shelf import Shelf

WHOLE = ".dcm"

_LOOK_S = 2.0  # how long a count of what waits is believed
_CHECK_DISK = 16 << 20  # bytes after which a growing file is held against the free space once more
_READY_SHARE = 20  # files made ahead take at most one part in so many of the free space

Check: TypeAlias = Callable[[bytes, str], None]
"""Is given an object's first bytes and its file, and raises where it is not to be kept."""


class Incoming:
    """The folder, as receivers see it."""

    def __init__(self, shelf: Shelf, storage: Storage, ready_bytes: int = 0) -> None:
        """Files made ahead take no more than `ready_bytes`."""
        self.folder = shelf.incoming
        self.marks = shelf.associations
        self.ready = ReadyFiles(shelf.ready, self._room_for_ready)
        self.usual_size = 0  # bytes of the file that came last; the first of an association is taken to be its like
        self._min_free_bytes = int(storage.min_free_gb * 1e9)
        self._waiting_at_most = storage.max_waiting
        self._ready_bytes = ready_bytes
        self._looked_at = -_LOOK_S
        self._is_congested = False

    def check_room(self) -> None:
        """Raise OSError where there is less free space than asked for, or too much waits for its row."""
        if self._free_bytes() < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder))
        if self.is_congested:
            raise OSError(errno.EBUSY, f"more than {self._waiting_at_most} objects wait for the catalog")

    @property
    def is_congested(self) -> bool:
        """Whether so much waits for the registrar that no more should come."""
        if time.monotonic() - self._looked_at > _LOOK_S:
            self._looked_at = time.monotonic()
            self._is_congested = len(os.listdir(self.folder)) > self._waiting_at_most  # noqa: PTH208 - a count only
        return self._is_congested

    def sender(self, association: str) -> Sender:
        """Return the place for what one association sends."""
        return Sender(self, association)

    def close(self) -> None:
        """Remove the files made ahead; nothing can be kept any more."""
        self.ready.close()

    def _free_bytes(self) -> int:
        """Return how many bytes may still be written; negative where there is less free space than asked for."""
        return shutil.disk_usage(self.folder).free - self._min_free_bytes

    def _room_for_ready(self) -> int:
        return max(0, min(self._ready_bytes, self._free_bytes() // _READY_SHARE))


class Sender:
    """One association, marked as living from its first object on."""

    def __init__(self, incoming: Incoming, association: str) -> None:
        self._incoming = incoming
        self._association = association
        self._lock: int | None = None
        self._usual_size = 0

    def arrival(self, begin: bytes, head_size: int) -> Arrival:
        """Begin a file with a `file_head`; as many of the bytes that follow are remembered as `head_size` says.

        Raises:
            OSError: nothing can be kept now.
        """
        incoming = self._incoming
        incoming.check_room()
        if self._lock is None:
            self._lock = marks.locked(incoming.marks / self._association)
        path = incoming.ready.take(self._usual_size or incoming.usual_size)
        place = f"{incoming.folder}/{time.time_ns():016x}.{self._association}{WHOLE}"
        return Arrival(self, path, place, begin, head_size)

    def check_room(self) -> None:
        """Raise OSError where there is less free space than asked for."""
        self._incoming.check_room()

    def kept(self, size: int) -> None:
        """Expect the next object to be like one of `size` bytes."""
        self._usual_size = self._incoming.usual_size = size

    def close(self) -> None:
        """Let the registrar see that no more will come."""
        if self._lock is not None:
            (self._incoming.marks / self._association).unlink(missing_ok=True)
            os.close(self._lock)


class Arrival:
    """One object on its way in. The first error of the disk ends the writing; `keep` says so."""

    def __init__(self, sender: Sender, path: str, place: str, begin: bytes, head_size: int) -> None:
        """Write into the file at `path`, which may hold zeros; what is kept is moved to `place`."""
        self._sender = sender
        self._path = path
        self._place = place
        self._head_size = head_size
        self._head = bytearray()
        self._error: OSError | None = None
        self._size = self._checked = self._begun = 0
        self._seal = Seal(begin)
        self._file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self._write(memoryview(begin))

    def write(self, fragment: memoryview) -> None:
        """Add bytes."""
        if len(self._head) < self._head_size:
            self._head += fragment[: self._head_size - len(self._head)]
        if self._error is None:
            self._seal.add(fragment)
            self._write(fragment)

    def keep(self, check: Check) -> None:
        """Make the file durable; when this returns, it survives a crash of the process or the system.

        It is sealed before the sync, so that one wait covers both, and renamed after the sync: what could not be synced
        is never registered. Zeros that were there before stay behind it until the registrar trims it.

        Raises:
            OSError: nothing was kept, nor is it after an error of `check`.
        """
        try:
            self._raise_error()
            check(bytes(self._head), self._path)
            self._seal.put(self._file)
            os.fdatasync(self._file)
            # Strings: a Path costs more than the call.
            os.rename(self._path, self._place)  # noqa: PTH104
        except Exception:
            self.drop()
            raise
        os.close(self._file)
        self._sender.kept(self._size)

    def drop(self) -> None:
        """Forget it."""
        os.close(self._file)
        with suppress(OSError):
            os.unlink(self._path)  # noqa: PTH108 - a string, as above

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _write(self, data: memoryview) -> None:
        try:
            while data:
                written = os.write(self._file, data)
                self._size += written
                data = data[written:]
            if self._size - self._begun >= BEGIN_AT:
                begin_writing(self._file, self._begun, self._size - self._begun)
                self._begun = self._size
            if self._size - self._checked > _CHECK_DISK:
                self._checked = self._size
                self._sender.check_room()
        except OSError as error:
            self._error = error
