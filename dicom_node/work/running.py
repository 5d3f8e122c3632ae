"""One pipeline on one stack: infer in the model process, encode, plan the deliveries."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Delivery, DeliveryState, Result, Run, RunState, Stack
from dicom_node.config import Config
from dicom_node.errors import DicomNodeError, ModelError
from dicom_node.findings import load_findings
from dicom_node.images import Stack as Content
from dicom_node.infer.process import Answer
from dicom_node.results import EncodedFile, Request, encode, encode_refusal
from dicom_node.uids import digest
from dicom_node.work.ending import note


class Models(Protocol):
    """What runs a pipeline: findings go to `out`; raises ModelError when the model or its process fails."""

    def run(self, pipeline: str, stack: Content, out: Path) -> Answer:
        """Run one pipeline on one stack."""


def run_id(stack_id: str, pipeline: str) -> str:
    """Return the id of a pipeline's run on a stack: asked for twice, it is one run."""
    return digest(stack_id, pipeline)[:32]


class Running:
    """Infers and encodes; every outcome is written to the run's row, nothing is raised for a bad image."""

    def __init__(self, config: Config, catalog: Catalog, models: Models) -> None:
        self._config = config
        self._catalog = catalog
        self._models = models

    def infer(self, key: str) -> Answer:
        """Run the pipeline of a run's row."""
        run, stack = self._rows(key)
        began = time.monotonic()
        try:
            answer = self._models.run(run.pipeline, Content.from_json(stack.content), self._findings(key))
        except ModelError as error:
            self._end(key, RunState.FAILED, str(error))
            return Answer(problem=str(error))
        if answer.refused or answer.problem:
            self._end(key, RunState.REFUSED, answer.refused or answer.problem)
        else:
            self._note_findings(key, seconds=round(time.monotonic() - began, 3))
        return answer

    def encode(self, key: str) -> None:
        """Turn a run's findings into objects, and plan where they go."""
        run, stack = self._rows(key)
        if run.state != RunState.PLANNED:
            return
        folder = self._folder(key)
        try:
            files = encode(self._request(run, stack), folder)
        except DicomNodeError as error:
            self._end(key, RunState.FAILED, str(error))
            return
        self._keep(key, files)

    def report_refusal(self, key: str) -> None:
        """Send an SR that says why a run was refused."""
        run, stack = self._rows(key)
        if run.state == RunState.REFUSED:
            content = Content.from_json(stack.content)
            self._keep(key, (encode_refusal(run.pipeline, run.reason, content, self._time(run), self._folder(key)),))

    def _request(self, run: Run, stack: Stack) -> Request:
        section = self._config.pipelines[run.pipeline]
        return Request(
            findings=load_findings(self._findings(run.id)),
            stack=Content.from_json(stack.content),
            outputs=("SR",) if run.is_gate else section.outputs,
            at=self._time(run),
            empty_frames=any(self._config.peers[name].empty_frames for name in run.send_to),
        )

    def _keep(self, key: str, files: Iterable[EncodedFile]) -> None:
        with self._catalog.write() as session:
            run = session.get_one(Run, key)
            for file in files:
                self._keep_one(session, run, file)
            if run.state == RunState.PLANNED:
                run.state = RunState.DONE
                note(session, run.stack_id, f"{run.pipeline}: done")

    def _keep_one(self, session: Session, run: Run, file: EncodedFile) -> None:
        if session.get(Result, file.sop_instance_uid) is not None:
            return
        now = time.time()
        path = file.path.relative_to(self._config.storage_folder)
        session.add(
            Result(
                uid=file.sop_instance_uid,
                run_id=run.id,
                kind=file.kind,
                sop_class_uid=file.sop_class_uid,
                path=str(path),
                sha256=file.sha256,
                at=now,
            )
        )
        session.flush()
        for peer in run.send_to:
            waiting = DeliveryState.WAITING
            session.add(Delivery(result_uid=file.sop_instance_uid, peer=peer, state=waiting, first_at=now, next_at=now))
        if file.completed:
            run.record = {**run.record, "completed attributes": list(file.completed)}

    def _note_findings(self, key: str, seconds: float) -> None:
        findings = load_findings(self._findings(key))
        with self._catalog.write() as session:
            run = session.get_one(Run, key)
            run.version, run.weights = findings.version, dict(findings.weights)
            run.record = {**run.record, "seconds": seconds}

    def _end(self, key: str, state: RunState, reason: str) -> None:
        with self._catalog.write() as session:
            run = session.get_one(Run, key)
            run.state, run.reason = state, reason
            note(session, run.stack_id, f"{run.pipeline}: {state}: {reason}")

    def _rows(self, key: str) -> tuple[Run, Stack]:
        with self._catalog.read() as session:
            run = session.get_one(Run, key)
            return run, session.get_one(Stack, run.stack_id)

    def _time(self, run: Run) -> datetime:
        return datetime.fromtimestamp(run.at, ZoneInfo(self._config.node.timezone))

    def _folder(self, key: str) -> Path:
        folder = self._config.storage_folder / "runs" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _findings(self, key: str) -> Path:
        return self._folder(key) / "findings.npz"
