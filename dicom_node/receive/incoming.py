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
from typing import BinaryIO, TypeAlias

from dicom_node.config import Storage
from dicom_node.receive import marks
from dicom_node.receive.early import BEGIN_AT, begin_writing
from dicom_node.receive.file_head import Seal
from dicom_node.receive.ready import ReadyFiles
from dicom_node.receive.shelf import Shelf

WHOLE = ".dcm"

_HELD = 64 << 10  # bytes of a file that are written in one piece; an object's UIDs nearly always lie in them
_LOOK_S = 2.0  # how long a count of what waits is believed
_FREE_S = 0.1  # how long the free space is believed
_CHECK_DISK = 16 << 20  # bytes after which a growing file is held against the free space once more
_READY_SHARE = 20  # files made ahead take at most one part in so many of the free space

Check: TypeAlias = Callable[["Arrival"], None]
"""Looks at an object of which all has come, and raises where it is not to be kept."""


class Incoming:
    """The folder, as receivers see it."""

    def __init__(self, shelf: Shelf, storage: Storage, ready_bytes: int = 0) -> None:
        """Files made ahead take no more than `ready_bytes`, those of all processes together."""
        self.folder = shelf.incoming
        self.marks = shelf.associations
        self.ready = ReadyFiles(shelf.ready, self._room_for_ready, self._is_quiet)
        self.usual_size = 0  # bytes of the last large file; the first of an association is taken to be its like
        self._min_free_bytes = int(storage.min_free_gb * 1e9)
        self._waiting_at_most = storage.max_waiting
        self._ready_bytes = ready_bytes
        self._looked_at = -_LOOK_S
        self._weighed_at = -_FREE_S
        self._has_room = True
        self._is_congested = False

    def check_room(self) -> None:
        """Raise OSError where there is less free space than asked for, or too much waits for its row."""
        if time.monotonic() - self._weighed_at > _FREE_S:
            self._has_room, self._weighed_at = self._free_bytes() >= 0, time.monotonic()
        if not self._has_room:
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

    def _is_quiet(self, for_s: float) -> bool:
        """Say whether nothing came for so long, by whichever process, and nothing was registered."""
        return not 0 <= time.time() - self.folder.stat().st_mtime < for_s

    def _room_for_ready(self) -> int:
        return max(0, min(self._ready_bytes, self._free_bytes() // _READY_SHARE))


class Sender:
    """One association, marked as living from its first object on."""

    def __init__(self, incoming: Incoming, association: str) -> None:
        self._incoming = incoming
        self._association = association
        self._lock: int | None = None
        self._usual_size = 0

    def arrival(self, head: bytes) -> Arrival:
        """Begin a file with a `file_head`.

        Raises:
            OSError: nothing can be kept now.
        """
        incoming = self._incoming
        incoming.check_room()
        if self._lock is None:
            self._lock = marks.locked(incoming.marks / self._association)
        return Arrival(self, f"{incoming.folder}/{time.time_ns():016x}.{self._association}{WHOLE}", head)

    def file(self, size: int) -> str:
        """Return the path of a file, which may hold zeros, for an object of which so many bytes have come.

        Raises:
            OSError: none can be made.
        """
        is_all = size < _HELD
        return self._incoming.ready.take(size if is_all else self._usual_size or self._incoming.usual_size)

    def check_room(self) -> None:
        """Raise OSError where there is less free space than asked for."""
        self._incoming.check_room()

    def kept(self, size: int) -> None:
        """Expect the next large object to be like one of `size` bytes."""
        if size > _HELD:
            self._usual_size = self._incoming.usual_size = size

    def close(self) -> None:
        """Let the registrar see that no more will come."""
        if self._lock is not None:
            (self._incoming.marks / self._association).unlink(missing_ok=True)
            os.close(self._lock)


class Arrival:
    """One object on its way in. The first error of the disk ends the writing; `keep` says so.

    Its first bytes are held back, so that a small object costs one call of the system to write, seal included.
    """

    def __init__(self, sender: Sender, place: str, head: bytes) -> None:
        """The file, which starts with a `file_head`, is moved to `place` when it is kept."""
        self.begin = bytearray(head)
        self.data_set_at = len(head)
        self._sender = sender
        self._place = place
        self._seal = Seal(head)
        self._path = ""
        self._file: int | None = None
        self._error: OSError | None = None
        self._size = self._checked = self._begun = 0

    def write(self, fragment: memoryview) -> None:
        """Add bytes."""
        if self._file is None and self._error is None:
            held = fragment[: _HELD - len(self.begin)]
            self.begin += held
            self._seal.add(held)
            fragment = fragment[len(held) :]
            if len(self.begin) == _HELD:
                self._start()
        if fragment and self._error is None:
            self._seal.add(fragment)
            self._write(fragment)

    @property
    def data_set_size(self) -> int:
        """Bytes of the data set that have come."""
        return max(self._size, len(self.begin)) - self.data_set_at

    def read(self) -> BinaryIO:
        """Return the data set, of which `data_set_size` bytes have come, to be closed by the caller.

        Raises:
            OSError: it cannot be read.
        """
        if self._file is None:
            self._start()
        self._raise_error()
        file = open(self._path, "rb")  # noqa: PTH123, SIM115 - a string, as everywhere on the way to an answer
        file.seek(self.data_set_at)
        return file

    def keep(self, check: Check) -> None:
        """Make the file durable; when this returns, it survives a crash of the process or the system.

        It is sealed before the sync, so that one wait covers both, and renamed after the sync: what could not be synced
        is never registered. Zeros that were there before stay behind it until the registrar trims it.

        Raises:
            OSError: nothing was kept, nor is it after an error of `check`.
        """
        try:
            self._raise_error()
            check(self)
            if self._file is None:
                self._seal.put_into(self.begin)
                self._start()
                self._raise_error()
            else:
                self._seal.put(self._file)
            assert self._file is not None  # noqa: S101 - started, and no error
            os.fdatasync(self._file)
            os.rename(self._path, self._place)  # noqa: PTH104 - strings: a Path costs more than the call
        except Exception:
            self.drop()
            raise
        os.close(self._file)
        self._sender.kept(self._size)

    def drop(self) -> None:
        """Forget it."""
        if self._file is not None:
            os.close(self._file)
        if self._path:
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - a string, as above

    def _start(self) -> None:
        try:
            self._path = self._sender.file(len(self.begin))
            self._file = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            self._error = error
        else:
            self._write(memoryview(self.begin))

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _write(self, data: memoryview) -> None:
        assert self._file is not None  # noqa: S101 - started
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
