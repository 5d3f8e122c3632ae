"""Files made ahead: no sender has to wait until one is made, nor, where it has its size already, until it grows.

A sync of a file that has its blocks, and whose length stays, writes the object's bytes and nothing else: that takes a
third of the time for a small image, and two thirds for one of 0.5 MB. So when a push is over, files are filled with
zeros for the next one: as many as the largest push has taken, of the sizes that came.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

from dicom_node.receive import marks

log = logging.getLogger(__name__)

MARK = ".mark"

_FULL, _LOW = 64, 32  # empty files
_AT_ONCE = 32  # files
_STEP = 64 << 10  # bytes; filled files have a multiple of it
_LARGEST = 1 << 20  # bytes; most of what is larger is written while it comes, wherever that is
_ZEROS = bytes(_LARGEST)
_QUIET_S = 1.0  # without an object, after which a push is over
_RETRY_S = 1.0  # where none can be made
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(slots=True)
class _Filled:
    """The files of one size."""

    files: deque[str] = field(default_factory=deque)
    asked: int = 0  # since the last push was over
    most: int = 0  # asked for in one push


class ReadyFiles:
    """The files of one process, in a folder of its own beside which its mark is locked while it lives."""

    def __init__(self, folder: Path, room: Callable[[], int]) -> None:
        """Nothing is made before the first file is taken; `room` says how many bytes filled files may take now."""
        self._folder = folder / secrets.token_hex(8)
        self._mark = self._folder.with_suffix(MARK)
        self._room = room
        self._numbers = count()
        self._empty: deque[str] = deque()
        self._filled: dict[int, _Filled] = {}
        self._taken_at = 0.0
        self._is_idle = True  # nothing is to be made before the next file is taken
        self._opening = threading.Lock()
        self._lock: int | None = None
        self._wake = threading.Event()
        self._is_closed = threading.Event()
        self._making = threading.Thread(target=self._make, name="ready-files", daemon=True)

    def take(self, size: int) -> str:
        """Return the path of a file for an object of about this size, which is the caller's from now on.

        It is empty, or holds zeros which the object need not all overwrite; made on the spot where all are taken.

        Raises:
            OSError: none can be made.
        """
        if self._lock is None:
            self._open()
        self._taken_at = time.monotonic()
        if 0 < size <= _LARGEST:
            filled = self._filled.setdefault(-(-size // _STEP) * _STEP, _Filled())
            filled.asked += 1
            with suppress(IndexError):
                return self._taken(filled.files)
        with suppress(IndexError):
            return self._taken(self._empty)
        return self._made(1, 0)[0]

    def close(self) -> None:
        """Remove what was not taken; what somebody still writes is settled as after a crash."""
        self._is_closed.set()
        self._wake.set()
        if self._lock is None:
            return
        self._making.join()
        _remove(self._empty)
        for filled in self._filled.values():
            _remove(filled.files)
        with suppress(OSError):
            self._folder.rmdir()
            self._mark.unlink()
        os.close(self._lock)

    def _open(self) -> None:
        with self._opening:
            if self._lock is None:
                lock = marks.locked(self._mark)
                try:
                    self._folder.mkdir(exist_ok=True)
                except OSError:
                    os.close(lock)
                    raise
                self._making.start()
                self._lock = lock

    def _taken(self, files: deque[str]) -> str:
        if self._is_idle or len(self._empty) < _LOW:
            self._is_idle = False
            self._wake.set()
        return files.popleft()

    def _make(self) -> None:
        while not self._is_closed.is_set():
            self._wake.wait(None if self._is_idle else _QUIET_S)
            self._wake.clear()
            try:
                while len(self._empty) < _FULL and not self._is_closed.is_set():
                    self._empty.extend(self._made(_AT_ONCE, 0))
                if self._is_quiet():
                    self._is_idle = True  # whoever takes a file from now on says so
                    if not self._fill():
                        self._is_idle = False
            except OSError as error:
                log.warning("no files can be made ahead: %s", error.strerror)
                self._is_closed.wait(_RETRY_S)

    def _is_quiet(self) -> bool:
        return time.monotonic() - self._taken_at >= _QUIET_S and not self._is_closed.is_set()

    def _fill(self) -> bool:
        """Prepare for the next push, each size having its share of the room; return False where one comes meanwhile."""
        by_size = dict(self._filled)
        for filled in by_size.values():
            asked, filled.asked = filled.asked, 0
            filled.most = max(filled.most, -(-asked // _AT_ONCE) * _AT_ONCE)
        room = self._room()
        wishes = {size: min(filled.most, room // size) for size, filled in by_size.items()}
        share = min(1.0, room / max(1, sum(size * wish for size, wish in wishes.items())))
        for size, filled in by_size.items():
            target = int(share * wishes[size])
            with suppress(IndexError):  # somebody took it
                while len(filled.files) > target:
                    _remove([filled.files.popleft()])
            while len(filled.files) < target:
                if not self._is_quiet():
                    return False
                filled.files.extend(self._made(min(_AT_ONCE, target - len(filled.files)), size))
        return True

    def _made(self, how_many: int, size: int) -> list[str]:
        """Return new files; they and their names are synced, so that later a sync of the object is enough."""
        paths: list[str] = []
        try:
            for number in islice(self._numbers, how_many):
                path = f"{self._folder}/{number}"
                paths.append(path)
                file = os.open(path, _NEW, 0o640)
                try:
                    if size:
                        os.write(file, memoryview(_ZEROS)[:size])
                        os.fdatasync(file)
                finally:
                    os.close(file)
            _sync(self._folder)
        except OSError:
            _remove(paths)
            raise
        return paths


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - a string, as everywhere here: a Path costs more than the call


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
