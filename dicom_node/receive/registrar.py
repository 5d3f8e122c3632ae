"""Catalog rows for what has arrived, made behind the answers by one thread, in the order of arrival."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from dicom_node.catalog import Catalog
from dicom_node.receive import rows, scan
from dicom_node.receive.placing import Placed, place
from dicom_node.receive.shelf import Shelf

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_BATCH = 64  # objects in one transaction
_LINGER_S = 0.05  # how long a batch waits to be filled
_TICK_S = 0.2  # how often an open association is asked whether it still lives
_RETRY_S = 0.1  # before the second attempt at a database or disk that is away; doubles
_RETRY_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Sender:
    """One association that has sent something."""

    id: str
    is_alive: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A whole object on disk; sender is None where it was found at start."""

    path: Path
    sender: Sender | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """An association has ended; everything that it sent stands before this in the queue."""

    sender: Sender


class _Stop:
    """Everything before this is done; end."""


_Item: TypeAlias = Arrived | Closed | _Stop


class _StoppingError(Exception):
    """The database or the disk is away and nobody wants to wait for it any more."""


class Registrar:
    """A queue of paths and the thread that turns them into rows.

    While the database or the disk is away it tries again with growing pauses, and receiving goes on: what is on disk
    without a row is found again at the next start.
    """

    def __init__(self, shelf: Shelf, catalog: Catalog, receiver: str) -> None:
        self._shelf = shelf
        self._catalog = catalog
        self._receiver = receiver
        self._queue: queue.Queue[_Item] = queue.Queue()
        self._open: dict[str, Sender] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registrar", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether rows are still being made."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; it looks for files without rows first."""
        self._thread.start()

    def put(self, item: Arrived) -> None:
        """Queue an object; returns at once."""
        self._queue.put(item)

    def stop(self) -> None:
        """Make the rows of what is queued, then end; a database that is away is not waited for."""
        self._queue.put(_Stop())
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._lasting(partial(rows.forget_receiver, self._catalog, self._receiver))
            self._scan()
            while self._work(self._batch()):
                self._notice_ended()
        except _StoppingError:
            log.warning("stopped with about %d objects left for the next start to register", self._queue.qsize())

    def _scan(self) -> None:
        for folder in scan.series_folders(self._shelf):
            paths = self._lasting(partial(scan.files_without_row, self._shelf, self._catalog, folder))
            if paths:
                log.warning("%d objects in %s were not in the catalog", len(paths), self._shelf.relative(folder))
            for first in range(0, len(paths), _BATCH):
                self._register([Arrived(path) for path in paths[first : first + _BATCH]])
            if self._stopping.is_set():
                return

    def _batch(self) -> list[_Item]:
        """Wait for the next items; empty when it is time to look at the open associations."""
        try:
            items = [self._queue.get(timeout=_TICK_S if self._open else None)]
        except queue.Empty:
            return []
        deadline = time.monotonic() + _LINGER_S
        while len(items) < _BATCH and not isinstance(items[-1], _Stop):
            try:
                items.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return items

    def _work(self, items: list[_Item]) -> bool:
        """Do one batch; return whether more may come."""
        self._register([item for item in items if isinstance(item, Arrived)])
        closed = [item.sender.id for item in items if isinstance(item, Closed)]
        if closed:
            self._lasting(partial(rows.forget_associations, self._catalog, closed))
        return not any(isinstance(item, _Stop) for item in items)

    def _register(self, arrived: Iterable[Arrived]) -> None:
        known = rows.KnownRows(self._shelf, self._catalog)
        placed: list[tuple[Placed, str | None]] = []
        for item in arrived:
            one = self._lasting(partial(place, self._shelf, item.path, known))
            if one.note is not None:
                log.warning("%s: %s", one.note.subject, one.note.text)
            if item.sender is not None:
                self._open[item.sender.id] = item.sender
            placed.append((one, item.sender.id if item.sender else None))
        if placed:
            self._lasting(partial(rows.write, self._catalog, self._shelf, placed))

    def _notice_ended(self) -> None:
        """Queue the end of each association whose thread is dead: what that thread queued stands before it."""
        for sender in [one for one in self._open.values() if not one.is_alive()]:
            del self._open[sender.id]
            self._queue.put(Closed(sender))

    def _lasting(self, step: Callable[[], _T]) -> _T:
        """Do a step until it succeeds; each step may be done twice without harm."""
        pause_s = _RETRY_S
        while True:
            try:
                return step()
            except (SQLAlchemyError, OSError) as error:
                log.warning(
                    "catalog or storage is away (%s); next attempt in %.1f s", str(error).partition("\n")[0], pause_s
                )
                if self._stopping.wait(pause_s):
                    raise _StoppingError from error
                pause_s = min(2 * pause_s, _RETRY_MAX_S)
