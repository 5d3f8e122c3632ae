"""The job that encodes a run's results again after the headers of its images were corrected; the model is not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Delivery, DeliveryState, Result, Run, RunState, Series, Stack, StackState
from dicom_node.config import Config
from dicom_node.work.durable import Step
from dicom_node.work.ending import note, settle
from dicom_node.work.running import Running
from dicom_node.work.wanted import WORK_QUEUE, Wanted

_PRIORITY = 2  # as deciding: results should not leave with the old header meanwhile
_PROBLEM = "the results could not be encoded again: "


class Reencoding:
    """Makes results anew that nobody has been sent yet; those that have left stay what they are."""

    def __init__(self, config: Config, catalog: Catalog, running: Running) -> None:
        self._config = config
        self._catalog = catalog
        self._running = running

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (run id,)."""
        (key,) = args
        if step("withdraw", self._withdraw, key):
            step("encode", self._running.encode, key, _PROBLEM)
        step("keep", self._keep, key)

    def failed(self, key: str, error: str) -> None:
        """Say that a run's results carry the old header, or are none any more."""
        with self._catalog.write() as session:
            run = session.get_one(Run, key)
            why = f"{_PROBLEM}{error}"
            if run.state == RunState.PLANNED:  # the earlier ones are withdrawn
                run.state, run.reason = RunState.FAILED, why
            note(session, run.stack_id, f"{run.pipeline}: {why}")
        self._keep(key)

    def _withdraw(self, key: str) -> bool:
        """Take back the results of a run, and say whether there is something to encode again."""
        with self._catalog.write() as session:
            run = session.get_one(Run, key)
            if session.get_one(Stack, run.stack_id).corrected:
                return False
            if run.state == RunState.PLANNED:  # taken back before a crash
                return True
            results = session.scalars(select(Result).where(Result.run_id == key)).all()
            query = select(Delivery).where(Delivery.result_uid.in_([result.uid for result in results]))
            deliveries = session.scalars(query).all()
            if any(one.state != DeliveryState.WAITING for one in deliveries):
                note(session, run.stack_id, f"{run.pipeline}: the header has changed; what was sent stays")
                return False
            self._forget(session, deliveries, results)
            run.state = RunState.PLANNED
            note(session, run.stack_id, f"{run.pipeline}: the header has changed; results are encoded again")
            return True

    def _forget(self, session: Session, deliveries: Sequence[Delivery], results: Sequence[Result]) -> None:
        for delivery in deliveries:
            session.delete(delivery)
        session.flush()
        for result in results:
            (self._config.storage_folder / result.path).unlink(missing_ok=True)
            session.delete(result)

    def _keep(self, key: str) -> None:
        with self._catalog.write() as session:
            run = session.get_one(Run, key)
            stack = session.get_one(Stack, run.stack_id)
            run.headers = session.get_one(Series, (stack.study_uid, stack.series_uid)).headers
            settle(session, stack, self._config.peers)


def outdated(session: Session) -> Iterator[Wanted]:
    """Yield the jobs of runs whose results carry a header that has been corrected since."""
    query = (
        select(Run.id, Run.attempt)
        .join(Stack, Run.stack_id == Stack.id)
        .join(Series, (Stack.study_uid == Series.study_uid) & (Stack.series_uid == Series.uid))
        .where(
            Stack.corrected.is_(False),
            Run.headers < Series.headers,
            (Run.state == RunState.DONE) | ((Run.state == RunState.PLANNED) & (Stack.state == StackState.DELIVERING)),
        )
    )
    for key, attempt in session.execute(query).all():
        yield Wanted("encode", (key,), attempt, WORK_QUEUE, _PRIORITY)
