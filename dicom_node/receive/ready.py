"""Files made ahead: no sender has to wait until one is made, nor, where it has its size already, until it grows.

A sync of a file that has its blocks, and whose length stays, writes the object's bytes and nothing else: that takes a
third of the time for a small image, and two thirds for one of 0.5 MB. So when a push is over, files are filled with
zeros for the next one, in batches that any receiver can take, be it another's. Each replaces what was asked of it: so
together they have as many as the largest push took, of the sizes that came, whoever the next one comes to.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

from dicom_node.receive import marks

log = logging.getLogger(__name__)

MARK = ".mark"

_FULL, _LOW = 64, 32  # empty files
_AT_ONCE = 32  # files, which is also a batch of filled ones
_BATCH = "filled"  # and its size and the time when it was made: a folder that anybody takes by renaming it
_STEP = 64 << 10  # bytes; filled files have a multiple of it
_LARGEST = 1 << 20  # bytes; most of what is larger is written while it comes, wherever that is
_ZEROS = bytes(_LARGEST)
_QUIET_S = 1.0  # without an object, after which a push is over
_LOOK_S = 1.0  # before it is looked again for a batch where there was none
_RETRY_S = 1.0  # where none can be made
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(slots=True)
class _Filled:
    """The files of one size that this process has taken, and what is owed to all."""

    files: deque[str] = field(default_factory=deque)
    owed: int = 0  # asked for, and not yet replaced; what a last batch had too many is below zero
    look_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Filled files that nobody has taken yet."""

    path: str
    size: int  # bytes of each file
    made: int

    @classmethod
    def named(cls, folder: Path, name: str) -> _Batch | None:
        """Return the batch of a name; None where it is something else."""
        kind, *numbers = name.split("-")
        if kind != _BATCH:
            return None
        size, made = map(int, numbers)
        return cls(f"{folder}/{name}", size, made)


class ReadyFiles:
    """The files of one process, in a folder of its own beside which its mark is locked while it lives."""

    def __init__(self, folder: Path, room: Callable[[], int], is_quiet: Callable[[float], bool]) -> None:
        """Nothing is made before the first file is taken.

        Args:
            folder: where each process has its own.
            room: how many bytes the filled files of all may take now.
            is_quiet: whether nobody has received anything for so many seconds.
        """
        self._all = folder
        self._folder = folder / secrets.token_hex(8)
        self._mark = self._folder.with_suffix(MARK)
        self._room = room
        self._has_been_quiet = is_quiet
        self._numbers = count()
        self._empty: deque[str] = deque()
        self._filled: dict[int, _Filled] = {}
        self._counting = threading.Lock()
        self._used: list[str] = []  # folders of batches that were taken
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
        if self._is_idle or len(self._empty) < _LOW:
            self._is_idle = False
            self._wake.set()
        if 0 < size <= _LARGEST:
            size = -(-size // _STEP) * _STEP
            with self._counting:
                filled = self._filled.setdefault(size, _Filled())
                filled.owed += 1
            with suppress(IndexError):
                return filled.files.popleft()
            self._take_batch(size, filled)
            with suppress(IndexError):
                return filled.files.popleft()
        with suppress(IndexError):
            return self._empty.popleft()
        return self._made(self._folder, 1, 0)[0]

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
        for batch in _batches(self._folder):
            _remove_batch(batch.path)
        self._forget_used()
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

    def _take_batch(self, size: int, filled: _Filled) -> None:
        if time.monotonic() < filled.look_at:
            return
        for batch in self._living_batches():
            if batch.size == size and (taken := self._taken(batch)) is not None:
                self._used.append(taken)
                filled.files.extend(f"{taken}/{name}" for name in os.listdir(taken))  # noqa: PTH208 - names only
                return
        filled.look_at = time.monotonic() + _LOOK_S

    def _living_batches(self) -> Iterator[_Batch]:
        """Yield what processes have that live; what the dead have left may hold objects, and is the registrar's."""
        yield from _batches(self._folder)
        for mark in self._all.glob(f"*{MARK}"):
            if mark != self._mark and marks.is_locked(mark):
                yield from _batches(mark.with_suffix(""))

    def _taken(self, batch: _Batch) -> str | None:
        """Make a batch our own and return its folder; None where somebody was faster."""
        taken = f"{self._folder}/used-{next(self._numbers)}"
        try:
            os.rename(batch.path, taken)  # noqa: PTH104 - strings, as everywhere here: a Path costs more than the call
        except FileNotFoundError:
            return None
        return taken

    def _make(self) -> None:
        while not self._is_closed.is_set():
            self._wake.wait(None if self._is_idle else _QUIET_S)
            self._wake.clear()
            try:
                while len(self._empty) < _FULL and not self._is_closed.is_set():
                    self._empty.extend(self._made(self._folder, _AT_ONCE, 0))
                if self._is_quiet():
                    self._is_idle = True  # whoever takes a file from now on says so
                    self._forget_used()
                    if not self._fill():
                        self._is_idle = False
            except OSError as error:
                log.warning("no files can be made ahead: %s", error.strerror)
                self._is_closed.wait(_RETRY_S)

    def _is_quiet(self) -> bool:
        return self._has_been_quiet(_QUIET_S) and not self._is_closed.is_set()

    def _fill(self) -> bool:
        """Prepare for the next push; return False where one comes meanwhile."""
        for size, filled in tuple(self._filled.items()):
            while filled.owed > 0:
                if not self._is_quiet():
                    return False
                has_room = self._make_room(_AT_ONCE * size)
                if has_room:
                    self._make_batch(size)
                with self._counting:
                    filled.owed = filled.owed - _AT_ONCE if has_room else 0
            filled.look_at = 0.0
        return True

    def _make_room(self, wanted: int) -> bool:
        """Say whether so many bytes more may be filled, having removed what was made first, if need be."""
        room = self._room()
        if wanted > room:
            return False
        batches = sorted(self._living_batches(), key=lambda batch: batch.made)
        left = room - wanted - sum(_AT_ONCE * batch.size for batch in batches)
        for batch in batches:
            if left >= 0:
                break
            is_of_use = _AT_ONCE * batch.size == wanted and left + wanted >= 0
            if not is_of_use and (taken := self._taken(batch)) is not None:
                _remove_batch(taken)
                left += _AT_ONCE * batch.size
        return left >= 0

    def _make_batch(self, size: int) -> None:
        new = self._folder / f"new-{next(self._numbers)}"
        new.mkdir()
        try:
            self._made(new, _AT_ONCE, size)
            new.rename(self._folder / f"{_BATCH}-{size}-{time.time_ns()}")
        except OSError:
            _remove_batch(str(new))
            raise

    def _made(self, folder: Path, how_many: int, size: int) -> list[str]:
        """Return new files; they and their names are synced, so that later a sync of the object is enough."""
        paths: list[str] = []
        try:
            for number in islice(self._numbers, how_many):
                path = f"{folder}/{number}"
                paths.append(path)
                file = os.open(path, _NEW, 0o640)
                try:
                    if size:
                        os.write(file, memoryview(_ZEROS)[:size])
                        os.fdatasync(file)
                finally:
                    os.close(file)
            _sync(folder)
        except OSError:
            _remove(paths)
            raise
        return paths

    def _forget_used(self) -> None:
        """Remove the folders of batches that are empty by now."""
        for folder in self._used[:]:
            with suppress(OSError):
                os.rmdir(folder)  # noqa: PTH106 - a string, as everywhere here
                self._used.remove(folder)


def _batches(folder: Path) -> list[_Batch]:
    """Return what a process has for all."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names only
    except FileNotFoundError:
        return []
    return [batch for name in names if (batch := _Batch.named(folder, name)) is not None]


def _remove_batch(folder: str) -> None:
    with suppress(OSError):
        _remove(f"{folder}/{name}" for name in os.listdir(folder))  # noqa: PTH208 - names only
        os.rmdir(folder)  # noqa: PTH106 - a string, as everywhere here


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
