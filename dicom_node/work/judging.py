"""The job that decides what a stack is and what runs on it: gates first, then every route."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Run, RunState, Stack, StackState
from dicom_node.config import Config
from dicom_node.findings import Classification, Findings, Remark, load_findings
from dicom_node.images import Stack as Content
from dicom_node.infer.process import Answer
from dicom_node.routing import Decision, GateAnswer, decide, matches
from dicom_node.work.durable import Step
from dicom_node.work.ending import move, settle
from dicom_node.work.running import Running, run_id

_STATES = {"held": StackState.HELD, "refused": StackState.REFUSED, "nothing to run": StackState.NOTHING}


class Judging:
    """Runs the gates that a stack meets, decides, and writes the decision down."""

    def __init__(self, config: Config, catalog: Catalog, running: Running) -> None:
        self._config = config
        self._catalog = catalog
        self._running = running

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (stack id,)."""
        (key,) = args
        content = self._content(key)
        answers = {}
        for name, gate in self._config.gates.items():
            if matches(gate.when, content.facts):
                answers[name] = step(f"gate {name}", self._gate, key, name)
        step("route", self._route, key, answers)

    def _content(self, key: str) -> Content:
        with self._catalog.read() as session:
            return Content.from_json(session.get_one(Stack, key).content)

    def _gate(self, key: str, name: str) -> dict[str, Any]:
        gate = self._config.gates[name]
        with self._catalog.write() as session:
            plan(session, key, gate.pipeline, gate.send_to, is_gate=True)
        run = run_id(key, gate.pipeline)
        answer = self._running.infer(run)
        if not (answer.refused or answer.problem):
            self._running.encode(run)
        return asdict(gate_answer(name, answer, self._findings(run, answer)))

    def _findings(self, run: str, answer: Answer) -> Findings | None:
        missing = answer.refused or answer.problem
        return None if missing else load_findings(self._config.storage_folder / "runs" / run / "findings.npz")

    def _route(self, key: str, answers: Mapping[str, Mapping[str, Any]]) -> None:
        gates = {name: GateAnswer(**answer) for name, answer in answers.items()}
        with self._catalog.write() as session:
            stack = session.get_one(Stack, key)
            today = datetime.now(UTC).date()
            decision = decide(self._config, Content.from_json(stack.content), gates, stack.overrides, today)
            stack.decision = decision.to_json()
            if decision.verdict == "run":
                self._plan_runs(session, stack, decision)
            else:
                move(session, stack, _STATES[decision.verdict], decision.reason)
                if decision.verdict == "nothing to run":
                    settle(session, stack, self._config.peers)

    def _plan_runs(self, session: Session, stack: Stack, decision: Decision) -> None:
        stack.priority = min(run.priority for run in decision.runs)
        if any(self._picks(route) for run in decision.runs for route in run.routes):
            move(session, stack, StackState.WAITING, "for the rest of the study, to choose the best stack")
            return
        plan_all(session, stack, decision)

    def _picks(self, route_name: str) -> bool:
        return any(route.name == route_name and route.pick for route in self._config.routes)


def gate_answer(name: str, answer: Answer, findings: Findings | None) -> GateAnswer:
    """Put a gate's findings, or why there are none, beside what the header claims."""
    said = {"claim": answer.claim, "claim_because": answer.claim_because}
    found = [one for one in findings.of(Classification) if one.name == name] if findings else []
    if findings is None or not found:
        return GateAnswer(problem=answer.refused or answer.problem or f"no {name} among the findings", **said)
    remarks = [one.text for one in findings.of(Remark)]
    detail = "; ".join([found[0].detail, *remarks] if found[0].detail else remarks)
    return GateAnswer(value=found[0].value, probability=found[0].probability, detail=detail, **said)


def plan_all(session: Session, stack: Stack, decision: Decision) -> None:
    """Plan every run of a decision, and let the stack be run."""
    for run in decision.runs:
        plan(session, stack.id, run.pipeline, run.send_to)
    move(session, stack, StackState.ROUTED, decision.reason)


def plan(session: Session, stack_id: str, pipeline: str, send_to: tuple[str, ...], *, is_gate: bool = False) -> None:
    """Plan one run, once; a run that failed or was refused before is planned again."""
    key = run_id(stack_id, pipeline)
    run = session.get(Run, key)
    if run is None:
        run = Run(id=key, stack_id=stack_id, pipeline=pipeline, is_gate=is_gate, state=RunState.PLANNED, at=time.time())
        session.add(run)
    run.send_to = list(dict.fromkeys([*(run.send_to or ()), *send_to]))
    if run.state != RunState.DONE:
        run.state, run.reason = RunState.PLANNED, ""
