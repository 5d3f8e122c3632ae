"""The job that decides what a stack is and what runs on it: gates first, then every route."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Run, RunState, Stack, StackState
from dicom_node.config import Config
from dicom_node.findings import Classification, Findings, Remark, load_findings
from dicom_node.images import Stack as Content
from dicom_node.infer.process import Answer
from dicom_node.routing import Decision, GateAnswer, Given, decide, gates_for, set_aside
from dicom_node.work.durable import Step
from dicom_node.work.ending import fail_stack, move, settle
from dicom_node.work.making import findings_path
from dicom_node.work.running import Models, Running, run_id
from dicom_node.work.telling import tell_decision


class Judging:
    """Runs the gates that a stack meets, decides, and writes the decision down."""

    def __init__(self, config: Config, catalog: Catalog, models: Models, running: Running) -> None:
        self._config = config
        self._catalog = catalog
        self._models = models
        self._running = running

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (stack id,)."""
        (key,) = args
        content, overrides = self._content(key)
        answers, refusals = {}, {}
        if not set_aside(self._config, content, Given(_today(), overrides)):
            for name in gates_for(self._config, content):
                answers[name] = step(f"gate {name}", self._gate, key, name)
            refusals = step("ask", self._refusals, key)
        step("route", self._route, key, answers, refusals)

    def failed(self, key: str, error: str) -> None:
        """End the stack."""
        with self._catalog.write() as session:
            fail_stack(session, session.get_one(Stack, key), error)

    def _content(self, key: str) -> tuple[Content, Mapping[str, str]]:
        with self._catalog.read() as session:
            stack = session.get_one(Stack, key)
            return Content.from_json(stack.content), stack.overrides

    def _refusals(self, key: str) -> dict[str, str]:
        return dict(self._models.refusals(self._content(key)[0]))

    def _gate(self, key: str, name: str) -> dict[str, Any]:
        gate = self._config.gates[name]
        with self._catalog.write() as session:
            if session.get_one(Stack, key).corrected:
                return asdict(GateAnswer(problem="its images were corrected"))
            plan(session, key, gate.pipeline, gate.send_to, is_gate=True)
        run = run_id(key, gate.pipeline)
        answer = self._running.infer(run)
        if not (answer.refused or answer.problem):
            self._running.encode(run)
        return asdict(gate_answer(name, answer, self._findings(run, answer)))

    def _findings(self, run: str, answer: Answer) -> Findings | None:
        missing = answer.refused or answer.problem
        return None if missing else load_findings(findings_path(self._config, run))

    def _route(self, key: str, answers: Mapping[str, Mapping[str, Any]], refusals: Mapping[str, str]) -> None:
        gates = {name: GateAnswer(**answer) for name, answer in answers.items()}
        with self._catalog.write() as session:
            stack = session.get_one(Stack, key, with_for_update=True)
            if stack.corrected:
                return
            content = Content.from_json(stack.content)
            decision = decide(self._config, content, gates, Given(_today(), stack.overrides, refusals))
            stack.decision = decision.to_json()
            tell_decision(stack, decision)
            picked = {route.name for route in self._config.routes if route.pick}
            if decision.verdict == "run" and any(picked.intersection(run.routes) for run in decision.runs):
                move(session, stack, StackState.WAITING, "for the rest of the study, to choose the best stack")
            else:
                carry_out(session, stack, decision, self._config)


def gate_answer(name: str, answer: Answer, findings: Findings | None) -> GateAnswer:
    """Put a gate's findings, or why there are none, beside what the header claims."""
    said = GateAnswer(claim=answer.claim, claim_because=answer.claim_because)
    found = [one for one in findings.of(Classification) if one.name == name] if findings else []
    if findings is None or not found:
        return replace(said, problem=answer.refused or answer.problem or f"no {name} among the findings")
    remarks = [one.text for one in findings.of(Remark)]
    detail = "; ".join([found[0].detail, *remarks] if found[0].detail else remarks)
    return replace(said, value=found[0].value, probability=found[0].probability, detail=detail)


def carry_out(session: Session, stack: Stack, decision: Decision, config: Config) -> None:
    """Plan every run of a decision, note what pipelines declined, and put the stack where the decision wants it."""
    if decision.verdict == "held":
        move(session, stack, StackState.HELD, decision.reason)
        return
    for run in decision.runs:
        plan(session, stack.id, run.pipeline, run.send_to)
    for pipeline, why in decision.refusals.items():
        asked = [route for route in config.routes if pipeline in route.run]
        row = plan(session, stack.id, pipeline, [peer for route in asked for peer in route.send_to])
        row.state, row.reason = RunState.REFUSED, why
    stack.priority = min((run.priority for run in decision.runs), default=stack.priority)
    if decision.runs or decision.refusals:
        move(session, stack, StackState.ROUTED, decision.reason)
    else:
        settle(session, stack, config.peers, is_decided=True)


def plan(session: Session, stack_id: str, pipeline: str, send_to: Iterable[str], *, is_gate: bool = False) -> Run:
    """Plan one run, once; a run that failed or was refused before is planned again."""
    key = run_id(stack_id, pipeline)
    run = session.get(Run, key)
    if run is None:
        run = Run(id=key, stack_id=stack_id, pipeline=pipeline, is_gate=is_gate, state=RunState.PLANNED, at=time.time())
        session.add(run)
    run.send_to = list(dict.fromkeys([*(run.send_to or ()), *send_to]))
    if run.state != RunState.DONE:
        run.state, run.reason = RunState.PLANNED, ""
    return run


def _today() -> date:
    return datetime.now(UTC).date()
