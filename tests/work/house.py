"""A node's work room without processes: real catalog, files and associations; models and the queue are stand-ins."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import FileDataset
from sqlalchemy import select

from dicom_node.catalog import (
    Catalog,
    Delivery,
    DeliveryState,
    Instance,
    Result,
    Run,
    RunState,
    Series,
    Stack,
    StackState,
    Study,
)
from dicom_node.config import Config, load_config
from dicom_node.content import content_digest
from dicom_node.errors import ModelError
from dicom_node.findings import Classification, Code, Finding, Findings, Segment, Segmentation, save_findings
from dicom_node.images import Stack as Content
from dicom_node.infer.process import Answer
from dicom_node.uids import digest
from dicom_node.work.answering import Answering
from dicom_node.work.counting import Counting
from dicom_node.work.delivering import Delivering
from dicom_node.work.judging import Judging
from dicom_node.work.priors import Priors
from dicom_node.work.processing import Processing
from dicom_node.work.proving import Proving
from dicom_node.work.recalling import Recalling
from dicom_node.work.reconciler import Reconciler
from dicom_node.work.reencoding import Reencoding
from dicom_node.work.running import Running
from dicom_node.work.splitting import Splitting
from tests.support.dicom import encoded

CODE = Code("39607008", "SCT", "Lung")
ORGAN = Code("91723000", "SCT", "Anatomical Structure")


class Models:
    """Answers for pipelines: "contrast" classifies as told, others find what is told or mark a corner; or raises."""

    def __init__(self) -> None:
        self.contrast: Answer | str = "enhanced"
        self.contrast_of: Mapping[str, str] = {}  # Series Instance UID -> what "contrast" finds there instead
        self.declined: Mapping[str, str] = {}
        self.refused: Mapping[str, str] = {}  # once the pixels have been looked at, by pipeline or Series Instance UID
        self.broken: set[str] = set()
        self.found: Mapping[str, tuple[Finding, ...]] = {}
        self.ran: list[str] = []

    def refusals(self, _stack: Content) -> Mapping[str, str]:
        return self.declined

    def run(self, pipeline: str, stack: Content, out: Path) -> Answer:
        self.ran.append(pipeline)
        if pipeline in self.broken:
            raise ModelError(f"{pipeline}: the model process was ended by SIGSEGV")
        if pipeline == "contrast" and isinstance(self.contrast, Answer):
            return self.contrast
        if refused := self.refused.get(pipeline) or (pipeline != "contrast" and self.refused.get(stack.series_uid)):
            return Answer(title=pipeline, refused=refused)
        found = self.found.get(pipeline) or (self._contrast(stack) if pipeline == "contrast" else _mark(stack),)
        save_findings(Findings(pipeline, "1", {"w": "ab"}, {}, found), out)
        return Answer(title=pipeline)

    def _contrast(self, stack: Content) -> Classification:
        found = self.contrast_of.get(stack.series_uid, str(self.contrast))
        return Classification("contrast", CODE, found, CODE, 0.9)


class Queue:
    """Keeps jobs in memory and runs them when told, those of the smallest priority first."""

    def __init__(self, bodies: Mapping[str, Any]) -> None:
        self._bodies = bodies
        self._waiting: dict[str, tuple[int, str, Sequence[str]]] = {}
        self._known: set[str] = set()
        self.lost = False  # whether jobs vanish instead of running
        self.ends_failed = False  # whether a job that raises ends as it does in a work process

    def live(self) -> set[str]:
        return set(self._waiting)

    def known(self, job_id: str) -> bool:
        return job_id in self._known

    def enqueue(self, job_id: str, _queue: str, kind: str, args: Sequence[str], priority: int) -> None:
        assert 1 <= priority < 2**31, f"DBOS takes no priority {priority}"
        self._known.add(job_id)
        self._waiting[job_id] = (priority, kind, args)

    def run_all(self) -> None:
        jobs, self._waiting = self._waiting, {}
        for _, kind, args in sorted(jobs.values(), key=lambda job: job[0]):
            if not self.lost:
                self._run(self._bodies[kind], args)

    def fail(self, kind: str, args: Sequence[str], error: str) -> None:
        self._bodies[kind].failed(*args, error)

    def _run(self, body: Any, args: Sequence[str]) -> None:
        try:
            body(lambda _name, function, *given: function(*given), *args)
        except Exception as error:
            if not (self.ends_failed and hasattr(body, "failed")):
                raise
            body.failed(*args, f"{type(error).__name__}: {error}")


class House:
    """One storage folder, catalog and reconciler."""

    def __init__(self, folder: Path, text: str) -> None:
        (folder / "config.toml").write_text(text)
        self.config: Config = load_config(folder / "config.toml")
        self.config.storage_folder.mkdir(exist_ok=True)
        self.catalog = Catalog(self.config.catalog_url)
        self.catalog.migrate()
        self.models = Models()
        running = Running(self.config, self.catalog, self.models)
        self.queue = Queue(
            {
                "split": Splitting(self.config, self.catalog),
                "judge": Judging(self.config, self.catalog, self.models, running),
                "process": Processing(self.config, self.catalog, running),
                "count": Counting(self.config, self.catalog),
                "prior": Priors(self.config, self.catalog),
                "deliver": Delivering(self.config, self.catalog),
                "prove": Proving(self.config, self.catalog),
                "answer": Answering(self.config, self.catalog),
                "recall": Recalling(self.config, self.catalog),
                "encode": Reencoding(self.config, self.catalog, running),
            }
        )
        self.given_up: list[tuple[str, str]] = []
        self._reconciler = Reconciler(self.config, self.catalog, self.queue, self._give_up)  # type: ignore[arg-type]

    def put(self, *objects: FileDataset, age_s: float = 3600.0) -> None:
        """Lay objects on disk with their rows, as if received so long ago."""
        at = time.time() - age_s
        with self.catalog.write() as session:
            for one in objects:
                path = Path("storage") / one.StudyInstanceUID / one.SeriesInstanceUID / f"{one.SOPInstanceUID}.dcm"
                whole = self.config.storage_folder / path
                whole.parent.mkdir(parents=True, exist_ok=True)
                whole.write_bytes(encoded(one))
                session.merge(Study(uid=one.StudyInstanceUID, first_at=at, last_at=at))
                session.flush()
                series = session.get(Series, (one.StudyInstanceUID, one.SeriesInstanceUID))
                if series is None:
                    series = Series(uid=one.SeriesInstanceUID, study_uid=one.StudyInstanceUID, last_at=at, arrived=0)
                    session.add(series)
                series.arrived, series.last_at = series.arrived + 1, at
                session.flush()
                session.add(_row(one, str(path), at))

    def owe(self, one: FileDataset, peer: str, priority: int = 5) -> None:
        """Lay an object on disk as the encoded result of a stack that is to be delivered."""
        uid, now = str(one.SOPInstanceUID), time.time()
        path = Path("runs") / uid / f"{uid}.dcm"
        (self.config.storage_folder / path.parent).mkdir(parents=True)
        (self.config.storage_folder / path).write_bytes(encoded(one))
        study_uid, series_uid = str(one.StudyInstanceUID), str(one.SeriesInstanceUID)
        content = Content(study_uid, series_uid, (), {}).to_json()
        key = digest(uid)[:32]
        rows = (
            Study(uid=study_uid, first_at=now, last_at=now),
            Series(uid=series_uid, study_uid=study_uid, last_at=now, generation=1, split=1),
            Stack(
                id=key, series_uid=series_uid, study_uid=study_uid, generation=1, number=1, priority=priority,
                state=StackState.DELIVERING, content=content, at=now,
            ),
            Run(id=key, stack_id=key, pipeline="lung", state=RunState.DONE, send_to=[peer], at=now),
            Result(
                uid=uid, run_id=key, kind="SEG", sop_class_uid=one.SOPClassUID, path=str(path), sha256="", at=now,
                shows=content_digest(self.config.storage_folder / path),
            ),
            Delivery(result_uid=uid, peer=peer, state=DeliveryState.WAITING, first_at=now, next_at=now),
        )  # fmt: skip
        with self.catalog.write() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def settle_until(self, *states: StackState, within_s: float = 20.0) -> list[Stack]:
        """Work until every stack is in one of the states; returns every stack in order of its making."""
        deadline = time.monotonic() + within_s
        while not (stacks := self.settle(ticks=1)) or any(stack.state not in states for stack in stacks):
            assert time.monotonic() < deadline, [(stack.state, stack.reason) for stack in stacks]
        return stacks

    def settle(self, ticks: int = 12) -> list[Stack]:
        """Reconcile and run jobs so many times; returns every stack in order of its making."""
        for _ in range(ticks):
            self._reconciler.tick()
            self.queue.run_all()
        return self.stacks()

    def stacks(self) -> list[Stack]:
        """Return every stack, the oldest generation first."""
        with self.catalog.read() as session:
            return list(session.scalars(select(Stack).order_by(Stack.series_uid, Stack.generation, Stack.number)).all())

    def rows(self, table: Any) -> list[Any]:
        """Return every row of a table."""
        with self.catalog.read() as session:
            return list(session.scalars(select(table)).all())

    def _give_up(self, kind: str, args: Sequence[str], error: str) -> None:
        self.given_up.append((kind, error))
        self.queue.fail(kind, args, error)


def _row(one: FileDataset, path: str, at: float) -> Instance:
    return Instance(
        uid=one.SOPInstanceUID,
        study_uid=one.StudyInstanceUID,
        series_uid=one.SeriesInstanceUID,
        sop_class_uid=one.SOPClassUID,
        transfer_syntax_uid=one.file_meta.TransferSyntaxUID,
        path=path,
        size=len(encoded(one)),
        sha256=hashlib.sha256(encoded(one)).hexdigest(),
        caller="SCANNER",
        at=at,
    )


def _mark(stack: Content) -> Segmentation:
    rows, columns = int(stack.number("Rows") or 0), int(stack.number("Columns") or 0)
    labels = np.zeros((len(stack.frames), rows, columns), np.uint8)
    labels[:, :4, :4] = 1
    return Segmentation(labels, (Segment(1, "corner", ORGAN, CODE, (80, 160, 240)),))
