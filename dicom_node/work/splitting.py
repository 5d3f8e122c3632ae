"""The job that turns a quiet series into stacks."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import UNFINISHED, Catalog, Instance, Series, Stack, StackState
from dicom_node.config import Config
from dicom_node.images import Stack as Content
from dicom_node.imaging import Split, split, stack_id
from dicom_node.uids import digest
from dicom_node.work.durable import Step
from dicom_node.work.ending import move, note


class Splitting:
    """Splits one generation of a series; the same frames as before make nothing new."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (series UID, generation)."""
        series_uid, generation = args
        step("split", self._split, series_uid, int(generation))

    def failed(self, series_uid: str, generation: str, error: str) -> None:
        """End the generation with one stack that says what went wrong."""
        with self._catalog.write() as session:
            series = session.get_one(Series, series_uid)
            empty = Content(series.study_uid, series_uid, (), {"kind": ("non-image",)})
            row = self._row(digest(series_uid, generation)[:32], empty, int(generation), 1)
            move(session, session.merge(row), StackState.FAILED, f"cannot be split: {error}")
            series.split = int(generation)
            series.settled = series.arrived

    def _split(self, series_uid: str, generation: int) -> None:
        with self._catalog.read() as session:
            series = session.get_one(Series, series_uid)
            instances = session.scalars(select(Instance).where(Instance.series_uid == series_uid)).all()
        folder = self._config.storage_folder
        found = split(series.study_uid, series_uid, [(str(folder / one.path), one.caller) for one in instances])
        with self._catalog.write() as session:
            self._keep(session, series_uid, generation, found)
            series = session.get_one(Series, series_uid)
            series.split, series.settled = generation, len(instances)

    def _keep(self, session: Session, series_uid: str, generation: int, found: Split) -> None:
        contents = found.stacks or (Content(session.get_one(Series, series_uid).study_uid, series_uid, (), {}),)
        ids = [stack_id(content) if content.frames else digest(series_uid)[:32] for content in contents]
        self._supersede(session, series_uid, generation, ids)
        for number, (key, content) in enumerate(zip(ids, contents, strict=True), 1):
            if session.get(Stack, key) is None:
                row = self._row(key, content, generation, number)
                session.add(row)
                note(session, key, f"stack {number} of series {series_uid}, generation {generation}")
                self._refuse_broken(session, row, found)

    def _refuse_broken(self, session: Session, row: Stack, found: Split) -> None:
        """A stack that may lack a slice is never run on; one that keeps changing waits for a person."""
        if found.unreadable:
            what = "; ".join(f"{name}: {why}" for name, why in found.unreadable[:3])
            move(session, row, StackState.REFUSED, f"{len(found.unreadable)} objects cannot be read: {what}")
        elif row.generation > self._config.storage.max_generations:
            move(session, row, StackState.HELD, f"the series changed {row.generation} times")

    def _supersede(self, session: Session, series_uid: str, generation: int, ids: Iterable[str]) -> None:
        query = select(Stack).where(Stack.series_uid == series_uid, Stack.state.in_(UNFINISHED), Stack.id.not_in(ids))
        for old in session.scalars(query).all():
            if old.state != StackState.DELIVERING:
                move(
                    session, old, StackState.NOTHING, f"superseded by generation {generation}, which has more instances"
                )

    def _row(self, key: str, content: Content, generation: int, number: int) -> Stack:
        return Stack(
            id=key,
            series_uid=content.series_uid,
            study_uid=content.study_uid,
            generation=generation,
            number=number,
            state=StackState.NEW,
            content=content.to_json(),
            at=time.time(),
        )
