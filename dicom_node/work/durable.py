"""DBOS, and nothing else knows it: durable queues, jobs made of steps, and the jobs of dead work processes.

A job is a kind and its arguments. A step that has ended is not run again after a crash; one that had begun is.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID
from sqlalchemy.exc import DBAPIError, OperationalError

from dicom_node.catalog.damage import describe_damage
from dicom_node.errors import CatalogAwayError
from dicom_node.work.faults import say_fault
from dicom_node.work.lasting import first_line, lasting

_log = logging.getLogger(__name__)

APPLICATION_VERSION = "3"
"""Raised with each change of a job's steps that an unfinished job of the version before could not live with."""

_LIVE = ["ENQUEUED", "PENDING", "DELAYED"]
_NAME = "dicom-node"
_MAX_RECOVERIES = 3  # of one job; the reconciler then begins its next attempt


class Step(Protocol):
    """Runs one named step of a job; what it returns is kept, as JSON."""

    def __call__(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """Run function(*args), or return what it returned before the crash."""


class Body(Protocol):
    """One kind of job: called with the step runner and the job's arguments."""

    def __call__(self, step: Step, /, *args: str) -> None:
        """Do the job."""


class Durable:
    """One work process's engine."""

    def __init__(self, url: str, executor: str, bodies: Mapping[str, Body], failed: Callable[..., None]) -> None:
        """`failed(kind, args, error)` is told of a job that raised; it records the end of what the job was for."""
        self._path = Path(url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else "the jobs' database")
        if url.startswith("sqlite:///"):
            _use_wal(self._path)
        self.executor = executor
        self._running: set[str] = set()  # jobs, by id
        self._idle_since: dict[str, float] = {}  # jobs that only DBOS takes for running
        config: DBOSConfig = {
            "name": _NAME,
            "system_database_url": url,
            "application_version": APPLICATION_VERSION,
            "executor_id": executor,
            "log_level": "WARNING",
            "serializer": DBOSPortableJSONSerializer(),
            "db_engine_kwargs": {"hide_parameters": True},
        }
        DBOS(config=config)

        @DBOS.workflow(name="job", max_recovery_attempts=_MAX_RECOVERIES)
        def job(kind: str, args: list[str]) -> None:
            with self._noted(str(DBOS.workflow_id)):
                try:
                    bodies[kind](_step, *args)
                except Exception as error:  # noqa: BLE001  # the job's boundary: its stack ends failed, with this reason
                    _step("failed", failed, kind, args, _typed(error))

        self._job = job

    def launch(
        self, queues: Mapping[str, int], poll_s: float, shared: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """Start taking jobs from the queues; this process's own old jobs go on.

        Of each of `queues` this process runs so many jobs at a time, of each of `shared` all processes together do.
        """
        with _explained(self._path):
            DBOS.launch()
        self._cancel_older_versions()
        for name, concurrency in queues.items():
            DBOS.register_queue(name, worker_concurrency=concurrency, polling_interval_sec=poll_s)
        for name, concurrency in shared.items():
            DBOS.register_queue(
                name, worker_concurrency=concurrency, global_concurrency=concurrency, polling_interval_sec=poll_s
            )

    def enqueue(self, job_id: str, queue: str, kind: str, args: Sequence[str], priority: int) -> None:
        """Put a job on a queue, once for each id; the smaller priority (1 or more) goes first."""
        with SetWorkflowID(job_id), SetEnqueueOptions(priority=priority):
            DBOS.enqueue_workflow(queue, self._job, kind, list(args))

    def live(self) -> set[str]:
        """Return the ids of all jobs that are queued or running."""
        found = DBOS.list_workflows(status=_LIVE, load_input=False, load_output=False)
        return {job.workflow_id for job in found}

    def known(self, job_id: str) -> bool:
        """Say whether a job of this id was ever put on a queue."""
        return DBOS.get_workflow_status(job_id) is not None

    def take_over(self, dead_executor: str) -> int:
        """Put the jobs that a dead work process had begun back on their queues; returns how many."""
        moved = 0
        while found := DBOS.list_workflows(status="PENDING", executor_id=dead_executor, load_input=False):
            for job in found:
                DBOS.resume_workflows([job.workflow_id], queue_name=job.queue_name)
            moved += len(found)
        return moved

    def revive(self, after_s: float) -> None:
        """Put back on their queues the jobs that DBOS has taken for running here for so long, and that are not.

        Such a job has ended, but its end could not be written down: the disk was full. It goes on after its last step.
        """
        found = DBOS.list_workflows(status="PENDING", executor_id=self.executor, load_input=False)
        now = time.monotonic()
        idle = {job.workflow_id: job.queue_name for job in found if job.workflow_id not in self._running}
        self._idle_since = {job_id: self._idle_since.get(job_id, now) for job_id in idle}
        for job_id in [one for one, since in self._idle_since.items() if now - since > after_s]:
            _log.warning("job %s has ended unseen; it goes on", job_id)
            DBOS.resume_workflows([job_id], queue_name=idle[job_id])
            del self._idle_since[job_id]

    @contextmanager
    def _noted(self, job_id: str) -> Iterator[None]:
        """Keep a job among those that run."""
        self._running.add(job_id)
        try:
            yield
        finally:
            self._running.discard(job_id)

    def forget(self, before_epoch_ms: int) -> None:
        """Delete the records of jobs that ended before a time."""
        ended = DBOS.list_workflows(status=["SUCCESS", "ERROR", "CANCELLED"], load_input=False, load_output=False)
        old = [job.workflow_id for job in ended if (job.updated_at or before_epoch_ms) < before_epoch_ms]
        if old:
            DBOS.delete_workflows(old)

    def _cancel_older_versions(self) -> None:
        unfinished = DBOS.list_workflows(status=_LIVE, load_input=False, load_output=False)
        old = [job.workflow_id for job in unfinished if job.app_version not in (None, APPLICATION_VERSION)]
        if old:
            _log.info("%d unfinished jobs of an older version are made anew", len(old))
            DBOS.cancel_workflows(old)


def _step(name: str, function: Callable[..., Any], *args: Any) -> Any:
    """Run a step; a full disk is waited for within it, and again where only DBOS met it, writing down the outcome."""
    return lasting(DBOS.run_step, {"name": name}, lasting, function, *args)


def _typed(error: Exception) -> str:
    """Return what went wrong; it begins with the error's type, which is all of it that is logged."""
    kind, said = type(error).__name__, say_fault(error)
    return said if said.startswith(kind) else f"{kind}: {said}"


def _use_wal(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with _explained(path), closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say what a damaged or locked database file means."""
    try:
        yield
    except (DBAPIError, sqlite3.DatabaseError) as error:
        damage = describe_damage(getattr(error, "orig", error), path, "jobs are made anew")
        if damage is None and not isinstance(error, (OperationalError, sqlite3.OperationalError)):
            raise
        raise damage or CatalogAwayError(f"{path} is locked or away: {first_line(error)}") from error
