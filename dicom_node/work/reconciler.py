"""The one path by which work begins: first arrival, late arrival and lost job alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from dicom_node.catalog import (
    Catalog,
    CommitmentRequest,
    Run,
    Series,
    Stack,
    StackState,
)
from dicom_node.config import Config
from dicom_node.work.answering import forget_strangers, put_off, questions
from dicom_node.work.clock import set_right
from dicom_node.work.counting import is_complete, is_open, is_quiet, uncounted
from dicom_node.work.delivering import unsent_deliveries
from dicom_node.work.durable import Durable
from dicom_node.work.messages import take_messages
from dicom_node.work.outgoing import due as outgoing
from dicom_node.work.outgoing import fail_without_peer, settle_ended
from dicom_node.work.peers import give_up, peer_state, settle_stacks_of
from dicom_node.work.picking import Picking
from dicom_node.work.priors import unprovided, wants_prior
from dicom_node.work.recalling import attempt_again, recalls
from dicom_node.work.reencoding import outdated
from dicom_node.work.wanted import WORK_QUEUE, Wanted, subject_of

_JOB_OF = {StackState.NEW: "judge", StackState.ROUTED: "process"}
_WITH_PEERS = ("recall", "deliver", "prove", "answer", "count")
_SPLIT_PRIORITY, _JUDGE_PRIORITY, _PROCESS_PRIORITY = 1, 2, 10  # deciding never waits behind a long inference
_BEHIND_LIVE = 20  # added to a backlog's; above every other
_TOO_OFTEN = "its job's process died {} times under it"


class Reconciler:
    """Looks at the catalog and enqueues what it asks for; only one runs at a time (see worker.py)."""

    def __init__(self, config: Config, catalog: Catalog, durable: Durable, give_up: Callable[..., None]) -> None:
        """`give_up(kind, args, error)` ends what a job was for whose process died under it too often."""
        self._config = config
        self._catalog = catalog
        self._durable = durable
        self._give_up = give_up
        self._picking = Picking(config)

    def tick(self) -> None:
        """Open generations of quiet series, choose in quiet studies, and see that every unfinished row has a job."""
        live = {
            subject_of(job_id) for job_id in self._durable.live()
        }  # before the rows: a job that ends in between has changed its row already
        now = time.time()
        take_messages(self._config, self._catalog)
        with self._catalog.write() as session:
            set_right(session, self._config, now)
            self._open_generations(session, now)
            self._picking.choose(session, now)
            fail_without_peer(session, self._config)
            settle_ended(session, self._config)
            forget_strangers(session, self._config)
            wanted = [*self._splits(session), *self._stacks(session), *outgoing(session, self._config, now)]
            wanted += [
                *uncounted(session, self._config, now),
                *unprovided(session, self._config),
                *outdated(session),
                *questions(session, now),
                *recalls(session, self._config, now),
            ]
            idle = [job for job in wanted if job.subject not in live]
            hopeless = [job for job in idle if self._is_hopeless(job)]
            begin = [job for job in idle if job not in hopeless and self._may_begin(session, job)]
        for job in begin:
            self._durable.enqueue(job.job_id, job.queue, job.kind, job.args, job.priority)
        for job in hopeless:
            self._give_up(job.kind, list(job.args), _TOO_OFTEN.format(job.attempt))

    def _is_hopeless(self, job: Wanted) -> bool:
        """What has to do with peers has an end of its own."""
        return job.kind not in _WITH_PEERS and job.attempt >= self._config.workers.max_attempts

    def _may_begin(self, session: Session, job: Wanted) -> bool:
        """A job that ended and left its row as it was has died: its next attempt begins at the next tick."""
        if not self._durable.known(job.job_id):
            return True
        if job.kind in ("split", "count"):
            session.get_one(Series, job.args[:2]).attempt += 1
        elif job.kind == "deliver":
            self._next_delivery_attempt(session, job)
        elif job.kind == "recall":
            attempt_again(session, *job.args)
        elif job.kind == "prove":
            peer_state(session, job.args[0]).proofs += 1
        elif job.kind == "encode":
            session.get_one(Run, job.args[0]).attempt += 1
        elif job.kind == "answer":
            question = session.get_one(CommitmentRequest, job.args)
            put_off(session, self._config, question, "the process that answered died")
        else:
            session.get_one(Stack, job.args[0]).attempt += 1
        return False

    def _next_delivery_attempt(self, session: Session, job: Wanted) -> None:
        peer, stack_id = job.args
        settings, deliveries = self._config.peers[peer], unsent_deliveries(session, peer, stack_id)
        for delivery in deliveries:
            delivery.attempt += 1
        settle_stacks_of(
            session,
            self._config,
            [one for one in deliveries if give_up(session, one, settings, "the process that sent it died")],
        )

    def _open_generations(self, session: Session, now: float) -> None:
        first = (Series.generation == 0) & is_quiet(self._config, now) & is_complete(self._config, now)
        late = (Series.generation > 0) & (Series.last_at < now - self._config.storage.regeneration_s)
        query = select(Series).where(
            Series.arrived + Series.gone > Series.settled,
            Series.split == Series.generation,
            first | late,
            ~is_open(now),
        )
        for series in session.scalars(query).all():
            series.opened_at = series.opened_at or now
            series.generation += 1
            series.attempt = 0

    def _splits(self, session: Session) -> Iterator[Wanted]:
        for series in session.scalars(select(Series).where(Series.split < Series.generation)).all():
            args = (series.study_uid, series.uid, str(series.generation))
            yield Wanted("split", args, series.attempt, WORK_QUEUE, _SPLIT_PRIORITY)

    def _stacks(self, session: Session) -> Iterator[Wanted]:
        for stack in session.scalars(select(Stack).options(defer(Stack.content)).where(Stack.state.in_(_JOB_OF))).all():
            place = _JUDGE_PRIORITY if stack.state == StackState.NEW else _PROCESS_PRIORITY + stack.priority
            place += _BEHIND_LIVE * stack.backlog
            if not wants_prior(self._config, stack):
                yield Wanted(_JOB_OF[stack.state], (stack.id,), stack.attempt, WORK_QUEUE, place, stack.turn)
