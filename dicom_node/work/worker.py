"""One work process: takes jobs, keeps its lease, and one of all of them reconciles."""

from __future__ import annotations

import fcntl
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from dicom_node.catalog import SUPERVISOR, Catalog, Lease
from dicom_node.config import Config
from dicom_node.errors import CatalogError, ConfigError
from dicom_node.uids import digest
from dicom_node.work.answering import Answering
from dicom_node.work.clock import is_over
from dicom_node.work.counting import Counting
from dicom_node.work.delivering import Delivering
from dicom_node.work.durable import Body, Durable
from dicom_node.work.faults import say_place
from dicom_node.work.judging import Judging
from dicom_node.work.priors import Priors
from dicom_node.work.processing import Processing
from dicom_node.work.proving import Proving
from dicom_node.work.recalling import Recalling
from dicom_node.work.reconciler import Reconciler
from dicom_node.work.reencoding import Reencoding
from dicom_node.work.retention import Retention
from dicom_node.work.running import Models, Running
from dicom_node.work.splitting import Splitting
from dicom_node.work.wanted import ASK_QUEUE, WORK_QUEUE, peer_queue

_log = logging.getLogger(__name__)
_RECONCILER = "reconciler"
_KEEP_RECORDS_S = 7 * 24 * 3600.0
_FORGET_EVERY_S = 3600.0
_TIDY_EVERY_S = 60.0
_ASKED_AT_ONCE = 4


class _Job(Body, Protocol):
    """A job's body that can also end what the job was for."""

    @property
    def failed(self) -> Callable[..., None]:
        """Called with the job's arguments, then with what went wrong."""


class Worker:
    """Composes the jobs of one work process and runs them until told to stop."""

    def __init__(self, config: Config, catalog: Catalog, models: Models) -> None:
        self._config = config
        self._catalog = catalog
        running = Running(config, catalog, models)
        self._bodies: Mapping[str, _Job] = {
            "split": Splitting(config, catalog),
            "judge": Judging(config, catalog, models, running),
            "process": Processing(config, catalog, running),
            "deliver": Delivering(config, catalog),
            "prove": Proving(config, catalog),
            "answer": Answering(config, catalog),
            "recall": Recalling(config, catalog),
            "encode": Reencoding(config, catalog, running),
            "count": Counting(config, catalog),
            "prior": Priors(config, catalog),
        }

    def run(self, stopped: threading.Event, ready: Callable[[], None]) -> None:
        """Work until `stopped` is set; calls `ready` once jobs are being taken.

        Jobs that are running when this returns are still running: the process is expected to end at once.
        """
        with _only_executor(self._config.storage_folder / "locks") as executor:
            durable = Durable(self._config.work_url, executor, self._bodies, self._failed)
            queues = {WORK_QUEUE: 1, ASK_QUEUE: _ASKED_AT_ONCE}
            peers = {peer_queue(name): peer.max_associations for name, peer in self._config.peers.items()}
            durable.launch(queues, self._config.workers.poll_s, peers)
            ready()
            self._reconcile(durable, stopped)

    def _reconcile(self, durable: Durable, stopped: threading.Event) -> None:
        reconciler = Reconciler(self._config, self._catalog, durable, self._failed)
        retention = Retention(self._config, self._catalog)
        forget_at = tidy_at = time.monotonic()
        while not stopped.wait(self._config.workers.poll_s):
            try:
                self._reap(durable)
                leads = self._leads(durable.executor)
                if leads:
                    reconciler.tick()
                if time.monotonic() >= forget_at:
                    durable.forget(int((time.time() - _KEEP_RECORDS_S) * 1000))
                    forget_at = time.monotonic() + _FORGET_EVERY_S
                if leads and time.monotonic() >= tidy_at and not retention.tidy():
                    tidy_at = time.monotonic() + _TIDY_EVERY_S
            except CatalogError:  # damaged: it does not come back by itself
                raise
            except Exception as error:  # noqa: BLE001  # a database that is away comes back; the next tick tries again
                said = f": {str(error).partition(chr(10))[0]}" if isinstance(error, SQLAlchemyError) else ""
                _log.warning("reconciling: %s%s%s", type(error).__name__, said, say_place(error))

    def _leads(self, executor: str) -> bool:
        """Renew this process's lease, and say whether it is the one to reconcile."""
        lease_s = self._config.workers.lease_s
        now, until = time.time(), time.time() + lease_s
        with self._catalog.write() as session:
            session.merge(Lease(executor=executor, until=until))
            others = Lease.executor == _RECONCILER, Lease.holder != executor, ~is_over(Lease.until, now, lease_s)
            if session.scalars(select(Lease).where(*others)).first() is None:
                session.merge(Lease(executor=_RECONCILER, until=until, holder=executor))
                return True
            return False

    def _reap(self, durable: Durable) -> None:
        """Take over the jobs of work processes that have fallen silent, and our own that ended unseen."""
        durable.revive(self._config.workers.lease_s)
        over = is_over(Lease.until, time.time(), self._config.workers.lease_s)
        query = select(Lease).where(over, Lease.executor.not_in([_RECONCILER, SUPERVISOR, durable.executor]))
        with self._catalog.read() as session:
            dead = [lease.executor for lease in session.scalars(query).all()]
        for executor in dead:
            moved = durable.take_over(executor)
            _log.warning("work process %s has fallen silent: %d of its jobs were taken over", executor, moved)
            with self._catalog.write() as session:
                session.delete(session.get_one(Lease, executor))

    def _failed(self, kind: str, args: Sequence[str], error: str) -> None:
        """Record the end of what a job was for."""
        _log.error("%s %s failed: %s", kind, " ".join(args), error.partition(":")[0])  # the rest may quote a header
        self._bodies[kind].failed(*args, error)


@contextmanager
def _only_executor(folder: Path) -> Iterator[str]:
    """Yield a name that is stable over restarts and that no other live work process has: the first free lock's."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(64):
        with (folder / f"work-{number}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield f"{socket.gethostname()}-{digest(str(folder))[:8]}-{number}"
            return
    raise ConfigError(f"{folder}: 64 work processes run already")
