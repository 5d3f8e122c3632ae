"""One pipeline on one stack: infer in the model process, encode, plan the deliveries."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Delivery, DeliveryState, Result, Run, RunState, Stack
from dicom_node.config import Config
from dicom_node.content import content_digest
from dicom_node.findings import Findings, Removed, load_findings
from dicom_node.images import Stack as Content
from dicom_node.infer.process import Answer
from dicom_node.results import EncodedFile
from dicom_node.uids import digest
from dicom_node.work.ending import note
from dicom_node.work.faults import say_fault
from dicom_node.work.lasting import passes
from dicom_node.work.making import Made, Making, findings_path
from dicom_node.work.telling import tell_run


class Models(Protocol):
    """What runs a pipeline: findings go to `out`; raises ModelError when the model or its process fails."""

    def run(self, pipeline: str, stack: Content, out: Path) -> Answer:
        """Run one pipeline on one stack."""

    def refusals(self, stack: Content) -> Mapping[str, str]:
        """Return why pipelines decline a stack from its header alone, by pipeline."""


def run_id(stack_id: str, pipeline: str) -> str:
    """Return the id of a pipeline's run on a stack: asked for twice, it is one run."""
    return digest(stack_id, pipeline)[:32]


def record_of(findings: Findings) -> dict[str, Any]:
    """Return what a run's record says of remarks on the source, and of parts that anatomy does not allow."""
    removed = [
        {"of": one.of, "parts": one.parts, "value": round(one.value, 3), "unit": one.unit.value}
        for one in findings.of(Removed)
    ]
    said = {"remarks": list(findings.source_remarks), "removed": removed}
    return {name: values for name, values in said.items() if values}


class Running:
    """Infers and encodes; every outcome is written to the run's row, nothing is raised for a bad image."""

    def __init__(self, config: Config, catalog: Catalog, models: Models) -> None:
        self._config = config
        self._catalog = catalog
        self._models = models
        self._making = Making(config, catalog)

    def infer(self, key: str) -> Answer:
        """Run the pipeline of a run's row."""
        run, stack = self._rows(key)
        began = time.monotonic()
        try:
            answer = self._models.run(run.pipeline, Content.from_json(stack.content), self._findings(key))
        except Exception as error:
            if passes(error):
                raise
            problem = say_fault(error)
            self._end(key, RunState.FAILED, problem)
            tell_run(stack, run.pipeline, "failed", time.monotonic() - began)
            return Answer(problem=problem)
        declined = answer.refused or answer.problem
        tell_run(stack, run.pipeline, "declined" if declined else "done", time.monotonic() - began)
        self._note(key, {"title": answer.title, "seconds": round(time.monotonic() - began, 3)})
        if declined:
            self._end(key, RunState.REFUSED, declined)
        return answer

    def encode(self, key: str, because: str = "") -> None:
        """Turn a run's findings into objects, and plan where they go.

        Whatever goes wrong ends the run *failed*; `because` begins its reason.
        """
        run, stack = self._rows(key)
        if run.state != RunState.PLANNED:
            return
        try:
            findings = load_findings(self._findings(key))
            self._keep(key, self._making.results(run, stack, findings, self._folder(key)), findings)
        except Exception as error:
            if passes(error):
                raise
            self._end(key, RunState.FAILED, f"{because}{say_fault(error)}")

    def names_sides(self, key: str) -> bool:
        """Say whether a run found segments that are called left or right."""
        path = findings_path(self._config, key)
        return path.exists() and load_findings(path).names_sides

    def report_refusal(self, key: str) -> None:
        """Send an SR that says why a run was refused; where none can be made, the run's reason says that too."""
        run, stack = self._rows(key)
        try:
            self._keep(key, self._making.refusals(run, stack, self._folder(key)))
        except Exception as error:
            if passes(error):
                raise
            self._end(key, RunState.REFUSED, f"{run.reason}; no report of that can be made: {say_fault(error)}")

    def _keep(self, key: str, made: Iterable[Made], findings: Findings | None = None) -> None:
        with self._catalog.write() as session:
            run = session.get_one(Run, key)
            if session.get_one(Stack, run.stack_id, with_for_update=True).corrected:
                return  # since it was read: what was made of its images is not to be sent
            for files, peers in made:
                for file in files:
                    keep_result(session, self._config, run, file, peers)
            if findings is not None:
                run.version, run.weights, run.state = findings.version, dict(findings.weights), RunState.DONE
                run.record = {**run.record, **record_of(findings)}
                note(session, run.stack_id, f"{run.pipeline}: done")

    def _note(self, key: str, record: Mapping[str, Any]) -> None:
        with self._catalog.write() as session:
            run = session.get_one(Run, key)
            run.record = {**run.record, **record}

    def _end(self, key: str, state: RunState, reason: str) -> None:
        with self._catalog.write() as session:
            run = session.get_one(Run, key)
            run.state, run.reason = state, reason
            note(session, run.stack_id, f"{run.pipeline}: {state}: {reason}")

    def _rows(self, key: str) -> tuple[Run, Stack]:
        with self._catalog.read() as session:
            run = session.get_one(Run, key)
            return run, session.get_one(Stack, run.stack_id)

    def _folder(self, key: str) -> Path:
        folder = self._config.storage_folder / "runs" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _findings(self, key: str) -> Path:
        self._folder(key)
        return findings_path(self._config, key)


def keep_result(session: Session, config: Config, run: Run, file: EncodedFile, peers: Iterable[str]) -> None:
    """Write the rows of an encoded object, and of its way to each peer, once."""
    now, uid = time.time(), file.sop_instance_uid
    if session.get(Result, uid) is None:
        session.add(
            Result(
                uid=uid,
                run_id=run.id,
                kind=file.kind,
                sop_class_uid=file.sop_class_uid,
                path=str(file.path.relative_to(config.storage_folder)),
                sha256=file.sha256,
                shows=content_digest(file.path),
                at=now,
            )
        )
        session.flush()
    for peer in peers:
        if session.get(Delivery, (uid, peer)) is None:
            waiting = DeliveryState.WAITING
            session.add(Delivery(result_uid=uid, peer=peer, state=waiting, first_at=now, next_at=now))
    if file.completed:
        run.record = {**run.record, "completed attributes": list(file.completed)}
    if file.left_out:
        run.record = {**run.record, "sequences that cannot be read": list(file.left_out)}
