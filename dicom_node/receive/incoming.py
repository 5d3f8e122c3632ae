"""Durable writing of what arrives: one sync, one rename, and only then the answer (PS3.4 B.2.3)."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)

_SUFFIX = ".part"


class Incoming:
    """The folder that objects stand in between their arrival and their row in the catalog.

    An unfinished file is called `<random>.<expected bytes>.part`, so that after a crash a whole object
    can be told from a truncated one.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self.folder = folder
        self._min_free_bytes = min_free_bytes

    def keep(self, parts: Sequence[bytes]) -> Path:
        """Write one file made of parts; when this returns, the bytes survive a crash of the process or the system.

        Raises:
            OSError: nothing was kept; ENOSPC also when the disk has less free space than asked for.
        """
        size = sum(map(len, parts))
        if shutil.disk_usage(self.folder).free - size < self._min_free_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder))
        final = self.folder / f"{uuid.uuid4().hex}.dcm"
        unfinished = final.with_suffix(f".{size}{_SUFFIX}")
        try:
            _write_through(unfinished, parts)
            return unfinished.rename(final)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def recover(self) -> list[Path]:
        """Return the whole objects that an earlier process left, oldest first; delete what was cut off.

        What was cut off had not been answered with success, so its sender still has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for unfinished in self.folder.glob(f"*{_SUFFIX}"):
            _finish_or_drop(unfinished)
        return sorted(self.folder.glob("*.dcm"), key=lambda path: path.stat().st_mtime_ns)


def _write_through(path: Path, parts: Sequence[bytes]) -> None:
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fdatasync(file.fileno())


def _finish_or_drop(unfinished: Path) -> None:
    name, _, expected = unfinished.stem.partition(".")
    if expected.isdigit() and unfinished.stat().st_size == int(expected):
        unfinished.rename(unfinished.with_name(f"{name}.dcm"))
        return
    log.warning("%s was cut off before it was answered; dropped", unfinished.name)
    unfinished.unlink()
