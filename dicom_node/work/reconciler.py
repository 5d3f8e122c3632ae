"""The one path by which work begins: first arrival, late arrival and lost job alike."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, defer

from dicom_node.catalog import (
    Catalog,
    CommitmentRequest,
    Run,
    Series,
    Stack,
    StackState,
)
from dicom_node.config import Config, Route
from dicom_node.images import Stack as Content
from dicom_node.routing import Candidate, Decision, Given, by_phase, decide, pick_best, settled_facts
from dicom_node.work.answering import forget_strangers, put_off, questions
from dicom_node.work.clock import set_right
from dicom_node.work.counting import is_complete, is_open, is_quiet, uncounted
from dicom_node.work.delivering import unsent_deliveries
from dicom_node.work.durable import Durable
from dicom_node.work.judging import carry_out
from dicom_node.work.messages import take_messages
from dicom_node.work.outgoing import due as outgoing
from dicom_node.work.outgoing import fail_without_peer, settle_ended
from dicom_node.work.peers import give_up, peer_state, settle_stacks_of
from dicom_node.work.priors import unprovided, wants_prior
from dicom_node.work.recalling import attempt_again, recalls
from dicom_node.work.reencoding import outdated
from dicom_node.work.telling import tell_decision
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
            self._pick(session, now)
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

    def _pick(self, session: Session, now: float) -> None:
        """Choose among the stacks that wait, in every study that has been silent long enough."""
        waiting = session.scalars(select(Stack).where(Stack.state == StackState.WAITING)).all()
        for study_uid in {stack.study_uid for stack in waiting}:
            if self._is_quiet(session, study_uid, now):
                self._choose(session, [stack for stack in waiting if stack.study_uid == study_uid])

    def _is_quiet(self, session: Session, study_uid: str, now: float) -> bool:
        since = now - self._config.storage.study_quiet_s
        unsettled = Series.arrived + Series.gone > Series.settled
        unsplit = or_(Series.last_at > since, unsettled, Series.split < Series.generation)
        busy = select(Series.uid).where(Series.study_uid == study_uid, or_(unsplit, is_open(now)))
        unjudged = select(Stack.id).where(Stack.study_uid == study_uid, Stack.state == StackState.NEW)
        return session.scalars(busy).first() is None and session.scalars(unjudged).first() is None

    def _choose(self, session: Session, stacks: Sequence[Stack]) -> None:
        """Let each picking route keep its best stack of each phase; the others are decided anew without it."""
        decisions = {stack.id: Decision.from_json(stack.decision or {}) for stack in stacks}
        passed_over: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for route in self._config.routes:
            if route.pick:
                for key, reason in _others(route, stacks, decisions).items():
                    passed_over[key][route.name] = reason
        for stack in stacks:
            decision = self._decided_anew(stack, decisions[stack.id], passed_over[stack.id])
            stack.decision = decision.to_json()
            tell_decision(stack, decision)
            carry_out(session, stack, decision, self._config)

    def _decided_anew(self, stack: Stack, decision: Decision, passed_over: Mapping[str, str]) -> Decision:
        answers = {gate.gate: gate.answer for gate in decision.gates}
        given = Given(datetime.now(UTC).date(), stack.overrides, decision.refusals, passed_over)
        return decide(self._config, Content.from_json(stack.content), answers, given)


def _others(route: Route, stacks: Iterable[Stack], decisions: Mapping[str, Decision]) -> dict[str, str]:
    """Return, for each stack that a picking route matches and does not choose, why."""
    candidates = [
        Candidate(stack.id, Content.from_json(stack.content), settled_facts(decisions[stack.id].gates, stack.overrides))
        for stack in stacks
        if any(checked.route == route.name and checked.runs for checked in decisions[stack.id].routes)
    ]
    return {key: why for group in by_phase(candidates) for key, why in pick_best(route, group)[1].items()}
