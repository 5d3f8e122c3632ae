"""Routes with `pick`: of a study's stacks that match, the best runs; where it is refused, the next best does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from dicom_node.catalog import Run, RunState, Series, Stack, StackState
from dicom_node.config import Config, Route
from dicom_node.images import Stack as Content
from dicom_node.routing import (
    Candidate,
    Decision,
    Given,
    Pick,
    PickedBefore,
    by_phase,
    decide,
    name_stack,
    pick_best,
    settled_facts,
)
from dicom_node.work.counting import is_open
from dicom_node.work.ending import fail_stack, move, settle
from dicom_node.work.faults import say_fault
from dicom_node.work.judging import carry_out
from dicom_node.work.lasting import passes
from dicom_node.work.replacing import instances_of
from dicom_node.work.telling import tell_decision


class _Picked(NamedTuple):
    """What one route made of one stack."""

    passed_over: str = ""  # why another stack runs in this one's place
    pick: Pick = Pick()


_Picks: TypeAlias = dict[str, _Picked]
"""Of one stack: route -> what the route made of it."""


class Picking:
    """Chooses in quiet studies, among the stacks that wait for that; the same stacks give the same choice."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def choose(self, session: Session, now: float) -> None:
        """Choose among the stacks that wait, in every study that has been silent long enough."""
        waiting = session.scalars(select(Stack).where(Stack.state == StackState.WAITING)).all()
        for study_uid in sorted({stack.study_uid for stack in waiting}):
            if self._is_quiet(session, study_uid, now):
                self._choose_or_fail(session, [stack for stack in waiting if stack.study_uid == study_uid])

    def choose_again(self, session: Session, stack: Stack) -> None:
        """Where a chosen stack has been refused, let those that it was chosen before wait for another choice.

        Each of them names the stack that was chosen in its place, and no longer does once it waits: a second call
        finds none, so that no route runs on two of them.
        """
        decision = Decision.from_json(stack.decision or {})
        runs = {run.pipeline: run for run in session.scalars(select(Run).where(Run.stack_id == stack.id)).all()}
        for route in self._config.routes:
            asked = [runs[pipeline] for pipeline in route.run if pipeline in runs]
            is_refused = asked and all(run.state == RunState.REFUSED for run in asked)
            if route.pick and is_refused and _runs(decision, route):
                why = "; ".join(f"{run.pipeline}: {run.reason}" for run in asked)
                said = f"{name_stack(Content.from_json(stack.content))} was chosen first, refused because {why}"
                for other in _passed_over_for(session, stack, route):
                    self._wait_again(session, other, route, PickedBefore(stack.id, said))

    def _is_quiet(self, session: Session, study_uid: str, now: float) -> bool:
        since = now - self._config.storage.study_quiet_s
        unsettled = Series.arrived + Series.gone > Series.settled
        unsplit = or_(Series.last_at > since, unsettled, Series.split < Series.generation)
        busy = select(Series.uid).where(Series.study_uid == study_uid, or_(unsplit, is_open(now)))
        unjudged = select(Stack.id).where(Stack.study_uid == study_uid, Stack.state == StackState.NEW)
        return session.scalars(busy).first() is None and session.scalars(unjudged).first() is None

    def _choose_or_fail(self, session: Session, stacks: Sequence[Stack]) -> None:
        try:
            self._choose(session, stacks)
        except Exception as error:
            if passes(error):
                raise
            for stack in stacks:
                fail_stack(session, stack, f"no stack can be chosen: {say_fault(error)}")

    def _choose(self, session: Session, stacks: Sequence[Stack]) -> None:
        """Let each picking route keep its best stack of each phase; the others are decided anew without it."""
        decisions = {stack.id: Decision.from_json(stack.decision or {}) for stack in stacks}
        picks = {key: _picks_of(decision) for key, decision in decisions.items()}
        for route in self._config.routes:
            for group in by_phase(_candidates(route, stacks, decisions)) if route.pick else ():
                self._choose_one(session, route, group, picks)
        for stack in stacks:
            decision = self._decide_anew(stack, decisions[stack.id], picks[stack.id])
            stack.decision = decision.to_json()
            tell_decision(stack, decision)
            carry_out(session, stack, decision, self._config)

    def _choose_one(
        self, session: Session, route: Route, group: Sequence[Candidate], picks: Mapping[str, _Picks]
    ) -> None:
        chosen, others = pick_best(route, group)
        seen = [one for member in group for one in picks[member.key].get(route.name, _Picked()).pick.before]
        before = tuple({one.stack: one for one in seen}.values())
        said = "".join(f"; {one.says}" for one in before)
        picks[chosen][route.name] = _Picked(pick=Pick(before=before))
        for key, why in others.items():
            picks[key][route.name] = _Picked(f"{why}{said}", Pick(chosen, before))
        if before:
            content = next(member.stack for member in group if member.key == chosen)
            self._tell_refused(session, before[-1].stack, route, f"{name_stack(content)} was chosen next")

    def _tell_refused(self, session: Session, key: str, route: Route, said: str) -> None:
        """Write into a refused stack's reason which one was chosen after it."""
        stack = session.get_one(Stack, key)
        decision = Decision.from_json(stack.decision or {})
        picks = _picks_of(decision)
        picks[route.name] = _Picked(pick=dataclasses.replace(picks.get(route.name, _Picked()).pick, after=said))
        stack.decision = _with_picks(decision, picks).to_json()
        settle(session, stack, self._config.peers)

    def _wait_again(self, session: Session, stack: Stack, route: Route, refused: PickedBefore) -> None:
        decision = Decision.from_json(stack.decision or {})
        picks = _picks_of(decision)
        before = (*picks.get(route.name, _Picked()).pick.before, refused)
        picks[route.name] = _Picked(pick=Pick(before=before))
        stack.decision = self._decide_anew(stack, decision, picks).to_json()
        stack.turn += 1  # its jobs are others than those that it has had
        move(session, stack, StackState.WAITING, f"to choose the next best stack: {refused.says}")

    def _decide_anew(self, stack: Stack, decision: Decision, picks: _Picks) -> Decision:
        answers = {gate.gate: gate.answer for gate in decision.gates}
        passed_over = {name: one.passed_over for name, one in picks.items() if one.passed_over}
        given = Given(datetime.now(UTC).date(), stack.overrides, decision.refusals, passed_over)
        anew = _with_picks(decide(self._config, Content.from_json(stack.content), answers, given), picks)
        return dataclasses.replace(anew, reason=anew.reason + anew.picks)


def _picks_of(decision: Decision) -> _Picks:
    """Return what routes have made of a stack before; who is passed over for another reason is none of theirs."""
    return {one.route: _Picked(one.passed_over if one.pick.chosen else "", one.pick) for one in decision.routes}


def _with_picks(decision: Decision, picks: _Picks) -> Decision:
    routes = (dataclasses.replace(one, pick=picks.get(one.route, _Picked()).pick) for one in decision.routes)
    return dataclasses.replace(decision, routes=tuple(routes))


def _runs(decision: Decision, route: Route) -> bool:
    return any(checked.route == route.name and checked.runs for checked in decision.routes)


def _candidates(route: Route, stacks: Iterable[Stack], decisions: Mapping[str, Decision]) -> list[Candidate]:
    """Return the stacks on which a route would run: one whose pipelines all decline the stack would not."""
    return [
        Candidate(stack.id, Content.from_json(stack.content), settled_facts(decisions[stack.id].gates, stack.overrides))
        for stack in stacks
        if any(route.name in run.routes for run in decisions[stack.id].runs)
    ]


def _passed_over_for(session: Session, chosen: Stack, route: Route) -> Iterator[Stack]:
    """Yield the stacks in whose place a route has chosen one; not those of which a newer generation has more images."""
    query = select(Stack).where(Stack.study_uid == chosen.study_uid, Stack.corrected.is_(False)).order_by(Stack.id)
    stacks = session.scalars(query.with_for_update()).all()
    for stack in stacks:
        routes = Decision.from_json(stack.decision).routes if stack.decision else ()
        picked = any(one.route == route.name and one.pick.chosen == chosen.id for one in routes)
        if picked and not any(_replaces(other, stack) for other in stacks):
            yield stack


def _replaces(newer: Stack, stack: Stack) -> bool:
    same_series = newer.series_uid == stack.series_uid and newer.generation > stack.generation
    return same_series and not instances_of(newer).isdisjoint(instances_of(stack))
