"""Facts and gates' answers x routes -> what runs on a stack, and why."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence

from dicom_node.config import Condition, Conditions, Config, Route
from dicom_node.images import Facts, Stack
from dicom_node.routing.conditions import Checked, check
from dicom_node.routing.decision import Decision, Match, RouteChecked, Run
from dicom_node.routing.gates import UNCERTAIN, GateAnswer, GateSettled, settle

FORCE = "force"
"""The override that runs a stack however old its study is, and whatever it is a copy of; its value does not matter."""

_NAMED_CHECKS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """What a decision hangs on beside the stack, its gates and the configuration."""

    today: dt.date  # what the study's age is counted to
    overrides: Mapping[str, str] = dataclasses.field(default_factory=dict)  # fact -> value that a person has settled
    refusals: Mapping[str, str] = dataclasses.field(default_factory=dict)  # pipeline -> why it declines the stack
    passed_over: Mapping[str, str] = dataclasses.field(default_factory=dict)  # route -> why `pick_best` chose another


def set_aside(config: Config, stack: Stack, given: Given) -> str:
    """Return why nothing may run on a stack whatever the routes say, or "": then its gates are worth running."""
    if stack.text("ours"):
        return "our own result that came back"
    if _copy(stack, given) and not any(route.copies for route in config.routes):
        return _copy(stack, given)
    if stack.text("kind") == "non-image":
        return "not an image"
    age, limit = _age_days(stack, given.today), config.storage.max_study_age_days
    if age is not None and age > limit and FORCE not in given.overrides:
        return f"the study is {age} days old, more than max_study_age_days = {limit:g}"
    return ""


def decide(config: Config, stack: Stack, gates: Mapping[str, GateAnswer], given: Given) -> Decision:
    """Decide what runs on a stack; every route that matches runs.

    Args:
        config: its gates, routes and storage are read.
        stack: its facts are what conditions see.
        gates: gate name -> answer, of those that apply to the stack (`gates_for`).
        given: the day, what a person has settled (it ends a hold), and what pipelines and `pick_best` said.
    """
    aside = set_aside(config, stack, given)
    if aside:
        return Decision("nothing to run", f"nothing to run, because {aside}")
    overrides = given.overrides
    settled = tuple(settle(name, config.gates[name], answer, overrides.get(name)) for name, answer in gates.items())
    facts, by_name = {**stack.facts, **settled_facts(settled, overrides)}, {gate.gate: gate for gate in settled}
    copy = _copy(stack, given)
    passed_over = {one.name: f"not run, because {copy}" for one in config.routes if copy and not one.copies}
    passed_over.update(given.passed_over)
    routes = tuple(_route(one, facts, by_name, passed_over.get(one.name, "")) for one in config.routes)
    pairs = list(zip(config.routes, routes, strict=True))
    asked = {pipeline for route, checked in pairs for pipeline in route.run if checked.asks}
    declined = {pipeline: why for pipeline, why in given.refusals.items() if pipeline in asked}
    runs = _runs(config, [route for route, checked in pairs if checked.runs], declined)
    waiting = [route.name for route, checked in pairs if checked.waits and not declined.keys() >= set(route.run)]
    decision = _with_verdict(Decision("run", "", settled, routes, runs, declined), waiting)
    if decision.verdict == "nothing to run" and stack.repetition:
        return dataclasses.replace(decision, reason=f"{decision.reason}; {stack.repetition}")
    return dataclasses.replace(decision, reason=decision.reason + remark_on(stack.facts)) if runs else decision


def remark_on(facts: Facts) -> str:
    """Return what a reason is to say besides, where another patient's or study's images show the same."""
    studies = facts.get("same_pixels_as", ())
    return f"; the same pixels are kept as study {studies[0]}" if studies else ""


def _copy(stack: Stack, given: Given) -> str:
    """Say of which stack this one is a copy, unless a person wants it run."""
    twin = stack.text("copy_of")
    return f"it shows the same as stack {twin[:8]}" if twin and FORCE not in given.overrides else ""


def settled_facts(gates: Sequence[GateSettled], overrides: Mapping[str, str]) -> Facts:
    """Return what the gates and a person have settled about a stack; a person's word stands above a gate's."""
    by_gate = {gate.gate: (gate.value,) for gate in gates}
    by_person = {fact: (value,) for fact, value in overrides.items() if fact != FORCE}
    return {**by_gate, **by_person}


def _route(route: Route, facts: Facts, gates: Mapping[str, GateSettled], passed_over: str) -> RouteChecked:
    alternatives = [_alternative(conditions, facts, gates) for conditions in route.when]
    matches = [match for match, _ in alternatives]
    best: Match = "yes" if "yes" in matches else "open" if "open" in matches else "no"
    return RouteChecked(route.name, best, tuple(checks for _, checks in alternatives), passed_over)


def _alternative(
    conditions: Conditions, facts: Facts, gates: Mapping[str, GateSettled]
) -> tuple[Match, tuple[Checked, ...]]:
    checks = [_check(fact, condition, facts, gates.get(fact)) for fact, condition in conditions.items()]
    failed = [one for one in checks if not one.holds]
    if not failed:
        return "yes", tuple(checks)
    waits = all(one.fact in gates and gates[one.fact].state == "open" for one in failed)
    return "open" if waits else "no", tuple(checks)


def _check(fact: str, condition: Condition, facts: Facts, gate: GateSettled | None) -> Checked:
    """Check a condition; one on an unsettled gate holds by the gate's rule, or where it asks for "uncertain" itself."""
    checked = check(fact, condition, facts)
    if gate is None or gate.state == "settled":
        return checked
    asked = any(str(wanted).strip().casefold() == UNCERTAIN for wanted in condition.any_of)
    return dataclasses.replace(checked, holds=(asked and checked.holds) or gate.state == "any")


def _runs(config: Config, routes: Sequence[Route], declined: Mapping[str, str]) -> tuple[Run, ...]:
    """Merge what several routes ask for into one run per pipeline."""
    asking: dict[str, list[Route]] = {}
    for route in routes:
        for pipeline in route.run:
            asking.setdefault(pipeline, []).append(route)
    return tuple(
        Run(
            pipeline,
            tuple(route.name for route in by),
            tuple(dict.fromkeys(peer for route in by for peer in route.send_to)),
            min(route.priority for route in by),
            config.pipelines[pipeline].outputs,
        )
        for pipeline, by in asking.items()
        if pipeline not in declined
    )


def _with_verdict(decision: Decision, waiting: Sequence[str]) -> Decision:
    """Put in what follows from the routes; `waiting` names those that only a person's answer keeps back."""
    said = "; ".join(f"{pipeline} declines: {why}" for pipeline, why in decision.refusals.items())
    if waiting:
        why = " and ".join(f"{gate.gate} ({gate.because})" for gate in decision.gates if gate.state == "open")
        reason = f"held: {', '.join(waiting)} waits for a person to settle {why}"
        return dataclasses.replace(decision, verdict="held", reason=reason)
    if decision.runs:
        names = ", ".join(f"{run.pipeline} (route {', '.join(run.routes)})" for run in decision.runs)
        return dataclasses.replace(decision, reason=f"runs {names}{f'; {said}' if said else ''}")
    if said:
        return dataclasses.replace(decision, verdict="refused", reason=f"refused, because {said}")
    chosen = "; ".join(f"{one.route}: {one.passed_over}" for one in decision.routes if one.match == "yes")
    reason = f"nothing to run, {chosen or f'because {_why(decision)}'}"
    return dataclasses.replace(decision, verdict="nothing to run", reason=reason)


def nearest_route(decision: Decision) -> tuple[str, tuple[Checked, ...]] | None:
    """Return the route of which the greatest share of conditions is met, and those that are not; None without routes.

    Of several alternatives the nearest counts; of equal shares the one with the most conditions met, then the first.
    """
    tried = [(route.route, checks) for route in decision.routes for checks in route.alternatives if checks]
    if not tried:
        return None
    route, checks = max(tried, key=lambda one: nearness(one[1]))
    return route, tuple(check for check in checks if not check.holds)


def nearness(checks: Sequence[Checked]) -> tuple[float, int]:
    """Return which share of conditions is met, and how many; the greater is nearer."""
    met = sum(check.holds for check in checks)
    return met / max(len(checks), 1), met


def _why(decision: Decision) -> str:
    """Say in a person's words what the route that came nearest wants."""
    nearest = nearest_route(decision)
    if nearest is None:
        return "there are no routes"
    route, checks = nearest
    failed = [f"{one.fact} {one.wanted} (seen: {one.seen})" for one in checks]
    more = f" and {len(failed) - _NAMED_CHECKS} more" if len(failed) > _NAMED_CHECKS else ""
    return f"no route matches; the nearest, {route}, wants {'; '.join(failed[:_NAMED_CHECKS])}{more}"


def _age_days(stack: Stack, today: dt.date) -> int | None:
    """Return the days since StudyDate, or None where the header gives none that is a date."""
    try:
        return (today - dt.datetime.strptime(stack.text("StudyDate")[:8], "%Y%m%d").date()).days
    except ValueError:
        return None
