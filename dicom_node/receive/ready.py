"""Files made ahead: making one costs more than writing a small object into it, and no sender has to wait for that."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import count, islice
from pathlib import Path

from dicom_node.receive import marks

log = logging.getLogger(__name__)

MARK = ".mark"

_FULL, _LOW = 64, 32  # files
_RETRY_S = 1.0  # where none can be made
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class ReadyFiles:
    """The empty files of one process, in a folder of its own beside which its mark is locked while it lives."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made before the first file is taken."""
        self._folder = folder / secrets.token_hex(8)
        self._mark = self._folder.with_suffix(MARK)
        self._numbers = count()
        self._files: deque[str] = deque()
        self._opening = threading.Lock()
        self._lock: int | None = None
        self._are_few = threading.Event()
        self._is_closed = threading.Event()
        self._filling = threading.Thread(target=self._fill, name="ready-files", daemon=True)

    def take(self) -> str:
        """Return the path of an empty file, which is the caller's from now on; made on the spot where all are taken.

        Raises:
            OSError: none can be made.
        """
        if self._lock is None:
            self._open()
        if len(self._files) < _LOW:
            self._are_few.set()
        try:
            return self._files.popleft()
        except IndexError:
            return self._made(1)[0]

    def close(self) -> None:
        """Remove what was not taken; what somebody still writes is settled as after a crash."""
        self._is_closed.set()
        self._are_few.set()
        if self._lock is None:
            return
        self._filling.join()
        _remove(self._files)
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
                self._filling.start()
                self._lock = lock

    def _fill(self) -> None:
        while not self._is_closed.is_set():
            self._are_few.wait()
            self._are_few.clear()
            try:
                while len(self._files) < _FULL and not self._is_closed.is_set():
                    self._files.extend(self._made(_LOW))
            except OSError as error:
                log.warning("no files can be made ahead: %s", error.strerror)
                self._is_closed.wait(_RETRY_S)

    def _made(self, how_many: int) -> list[str]:
        """Return new files; their names are synced, so that a sync of the file is all that it takes later."""
        paths: list[str] = []
        try:
            for number in islice(self._numbers, how_many):
                path = f"{self._folder}/{number}"
                os.close(os.open(path, _NEW, 0o640))
                paths.append(path)
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
