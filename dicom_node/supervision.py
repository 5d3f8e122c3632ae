"""The right to be a node's supervisor: a lock on its folder, and a lease in its catalog."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from dicom_node.catalog import SUPERVISOR, Catalog, Instance, Lease
from dicom_node.config import Config
from dicom_node.errors import BootError, CatalogAwayError, CatalogError
from dicom_node.work.clock import is_over

_log = logging.getLogger(__name__)

_LOCK = "supervisor.lock"
_BUSY_S = 2.0  # the supervisor has parts to watch over


class Supervision:
    """What a supervisor holds while it runs. Further work processes hold none of it, and need none."""

    def __init__(self, config: Config, lost: Callable[[], None]) -> None:
        """`lost` is called from another thread where another supervisor took the lease over."""
        self._config = config
        self._lost = lost
        self._folder = config.storage_folder
        self._lock: int | None = None
        self._catalog = Catalog(config.catalog_url, _BUSY_S)
        self._holder = f"process {os.getpid()} on {socket.gethostname()} with {self._folder}"
        self._seen_until: float | None = None  # of another's lease, at the first look
        self._stopped = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
        self.is_open = False  # whether the catalog can be worked with

    def lock_folder(self) -> None:
        """Lock the storage folder; the kernel gives the lock back when this process ends, however it does.

        Raises:
            BootError: another supervisor has it.
        """
        self._lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._lock, 1000).decode(errors="replace")
            raise _second(holder or "another process") from error
        os.ftruncate(self._lock, 0)
        os.write(self._lock, self._holder.encode())

    def open_catalog(self) -> None:
        """Bring the tables up to date, take the lease, and compare the catalog with the folder.

        Raises:
            CatalogAwayError: the database is locked or away, or another's lease has not run out yet.
            CatalogError: the database cannot be used.
            BootError: another supervisor runs on it, or the objects are not where it has them.
        """
        try:
            self._catalog.migrate()
            self._take_lease()
            self._compare_with_folder()
        except OperationalError as error:
            raise CatalogAwayError(f"the catalog is locked by another process, or away ({error.orig})") from error
        self.is_open = True
        self._renewing.start()

    def close(self) -> None:
        """Give everything back."""
        self._stopped.set()
        if self.is_open:
            self._renewing.join()
            with suppress(OperationalError, CatalogError):  # away: the lease runs out by itself
                self._give_lease_back()
        self._catalog.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lease(self) -> None:
        other = self._other()
        if other is not None:
            if self._seen_until is None:
                self._seen_until = other.until
            if other.until > self._seen_until:
                raise _second(other.holder)
            raise CatalogAwayError(f"{other.holder} ran this node, and its lease has not run out yet")
        self._write_lease()

    def _other(self) -> Lease | None:
        """Return a lease that has not run out, of another machine or another folder.

        One of this folder on this machine is a dead supervisor's: its lock was free.
        """
        alive = ~is_over(Lease.until, time.time(), self._config.workers.lease_s)
        with self._catalog.read() as session:
            lease = session.scalars(select(Lease).where(Lease.executor == SUPERVISOR, alive)).first()
        return lease if lease is not None and _place(lease.holder) != _place(self._holder) else None

    def _write_lease(self) -> None:
        until = time.time() + self._config.workers.lease_s
        with self._catalog.write() as session:
            session.merge(Lease(executor=SUPERVISOR, until=until, holder=self._holder))

    def _give_lease_back(self) -> None:
        if self._other() is None:
            with self._catalog.write() as session:
                lease = session.get(Lease, SUPERVISOR)
                if lease is not None:
                    session.delete(lease)

    def _renew(self) -> None:
        while not self._stopped.wait(self._config.workers.lease_s / 3):
            try:
                other = self._other()
                if other is not None:
                    _log.error("%s", _second(other.holder))
                    self._lost()
                    return
                self._write_lease()
            except (OperationalError, CatalogError) as error:
                _log.warning("the supervisor's lease cannot be renewed: %s", error)

    def _compare_with_folder(self) -> None:
        """Notice that databases were restored without folders, or folders without databases."""
        storage = self._folder / "storage"
        has_objects = storage.is_dir() and any(storage.iterdir())
        with self._catalog.read() as session:
            kept = select(Instance).where(Instance.removed_at == 0).limit(1)
            has_rows = session.scalars(kept).first() is not None
        if has_rows and not has_objects:
            raise BootError(
                f"the catalog knows objects, and {storage} holds none: is the disk mounted, were the folders restored? "
                "Put them back, or move the databases aside to begin anew (docs/operations.md)"
            )
        if has_objects and not has_rows:
            _log.warning(
                "the catalog is empty, and %s holds objects: they are registered, and their series are judged anew and "
                "give the same results as before",
                storage,
            )


def _second(holder: str) -> BootError:
    return BootError(
        f"{holder} runs this node already: end it, or give this one a [storage] folder and [database] of its own. "
        "`dicom-node work` adds a work process"
    )


def _place(holder: str) -> str:
    """Return machine and folder of a holder."""
    return holder.partition(" on ")[2]
