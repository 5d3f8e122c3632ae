"""The incoming folder as the registrar sees it: what is whole, who still sends, what was cut off."""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_node.receive.incoming import PART, UNLOCKED, WHOLE
from dicom_node.receive.shelf import Shelf

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A whole object on disk."""

    path: Path
    association: str  # that brought it, "" where its name does not say


class Waiting:
    """What has come in and has no row yet."""

    def __init__(self, shelf: Shelf) -> None:
        self._folder = shelf.incoming
        self._marks = shelf.associations

    def arrived(self) -> list[Arrived]:
        """Return the objects that are safe, oldest first."""
        names = sorted(name for name in os.listdir(self._folder) if name.endswith(WHOLE))  # noqa: PTH208 - names only
        return [Arrived(self._folder / name, _association(name)) for name in names]

    def is_open(self, association: str) -> bool:
        """Say whether an association lives; all that it sent before it ended is among `arrived`."""
        return bool(association) and _is_locked(self._marks / association)

    def open_associations(self) -> list[str]:
        """Return the associations that live."""
        return [path.name for path in self._marks.iterdir() if _is_locked(path)]

    def take_over(self) -> None:
        """Settle what associations left that died with their process: what is whole is kept, what was cut off is not.

        What was cut off had not been answered with success, so its sender still has it.
        """
        for path in self._folder.glob(f"*{PART}"):
            if not self.is_open(_association(path.name)):
                _finish_or_drop(path)
        for path in self._marks.iterdir():
            if path.suffix != UNLOCKED and not _is_locked(path):
                path.unlink(missing_ok=True)


def _finish_or_drop(path: Path) -> None:
    *_, size = path.stem.split(".")
    with suppress(FileNotFoundError):
        if size.isdigit() and path.stat().st_size == int(size):
            path.rename(path.with_suffix(WHOLE))
            return
        log.warning("%s was cut off before it was answered; dropped", path.name)
        path.unlink()


def _association(name: str) -> str:
    return [*name.split("."), ""][1]


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
