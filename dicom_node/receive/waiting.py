"""The incoming folder as the registrar sees it: what is whole, who still sends, what was cut off."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_node.receive.file_head import is_begun, is_whole
from dicom_node.receive.incoming import WHOLE
from dicom_node.receive.marks import UNLOCKED, is_locked
from dicom_node.receive.ready import MARK
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
        self._ready = shelf.ready

    def arrived(self) -> list[Arrived]:
        """Return the objects that are safe, oldest first."""
        names = sorted(name for name in os.listdir(self._folder) if name.endswith(WHOLE))  # noqa: PTH208 - names only
        return [Arrived(self._folder / name, _association(name)) for name in names]

    def span(self) -> tuple[float, float]:
        """Return when the first and the last of them came, as seconds of the clock; zeros where nothing is there."""
        names = [name for name in os.listdir(self._folder) if name.endswith(WHOLE)]  # noqa: PTH208 - names only
        return (_time(min(names)), _time(max(names))) if names else (0.0, 0.0)

    def is_open(self, association: str) -> bool:
        """Say whether an association lives; all that it sent before it ended is among `arrived`."""
        return bool(association) and is_locked(self._marks / association)

    def open_associations(self) -> list[str]:
        """Return the associations that live."""
        return [path.name for path in self._marks.iterdir() if is_locked(path)]

    def take_over(self) -> None:
        """Settle what receivers left that died: what is whole is kept, what was cut off is not.

        What was cut off had not been answered with success, so its sender still has it.
        """
        for mark in self._ready.glob(f"*{MARK}"):
            if not is_locked(mark):
                self._take_over(mark.with_suffix(""))
                mark.unlink(missing_ok=True)
        for path in self._marks.iterdir():
            if path.suffix != UNLOCKED and not is_locked(path):
                path.unlink(missing_ok=True)

    def _take_over(self, folder: Path) -> None:
        for place, _, names in os.walk(folder, topdown=False):
            for name in names:
                with suppress(FileNotFoundError):  # another receiver has just taken its batch, all zeros
                    self._settle(Path(place, name), folder.name)
            with suppress(FileNotFoundError):
                os.rmdir(place)  # noqa: PTH106 - as `os.walk` gives it

    def _settle(self, path: Path, owner: str) -> None:
        if is_whole(path):
            path.rename(self._folder / f"{path.stat().st_mtime_ns:016x}.{owner}-{path.name}{WHOLE}")
            return
        if is_begun(path):
            log.warning("an object was cut off before it was answered; dropped")
        path.unlink()


def _association(name: str) -> str:
    return [*name.split("."), ""][1]


def _time(name: str) -> float:
    try:
        return int(name.partition(".")[0], 16) / 1e9
    except ValueError:
        return 0.0
