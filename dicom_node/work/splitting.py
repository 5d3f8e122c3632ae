"""The job that turns a quiet series into stacks."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicom_node.catalog import UNFINISHED, Catalog, Instance, Series, Stack, StackState
from dicom_node.config import Config
from dicom_node.content import content_digest, stack_content
from dicom_node.images import Stack as Content
from dicom_node.imaging import Split, split, stack_id
from dicom_node.uids import digest
from dicom_node.work.copies import recognised
from dicom_node.work.counting import current_instances
from dicom_node.work.durable import Step
from dicom_node.work.ending import move, note

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class _Sorted:
    """A series' objects in stacks."""

    found: Split
    shown: Mapping[str, str]  # digest of what a stack shows, by the stack's id
    patients: Mapping[str, str]  # digest of PatientID and its issuer, by the stack's id


class Splitting:
    """Splits one generation of a series; the same frames as before make nothing new."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (study UID, series UID, generation)."""
        study_uid, series_uid, generation = args
        step("split", self._split, study_uid, series_uid, int(generation))

    def failed(self, study_uid: str, series_uid: str, generation: str, error: str) -> None:
        """End the generation with one stack that says what went wrong."""
        with self._catalog.write() as session:
            series = session.get_one(Series, (study_uid, series_uid))
            empty = Content(study_uid, series_uid, (), {"kind": ("non-image",)})
            row = self._row(digest(study_uid, series_uid, generation)[:32], empty, int(generation), 1)
            move(session, session.merge(row), StackState.FAILED, f"cannot be split: {error}")
            series.split = int(generation)
            series.settled = series.arrived + series.gone

    def _split(self, study_uid: str, series_uid: str, generation: int) -> None:
        while not self._try_split(study_uid, series_uid, generation):
            pass

    def _try_split(self, study_uid: str, series_uid: str, generation: int) -> bool:
        """Split what counts now; return whether it all still counts once it is split: an image may be corrected."""
        with self._catalog.read() as session:
            series = session.get_one(Series, (study_uid, series_uid))
            seen = series.arrived + series.gone  # before the rows: what changes after opens the next generation
            instances = current_instances(session, study_uid, series_uid)
        given = self._sorted(study_uid, series_uid, instances)
        with self._catalog.write() as session:
            series = session.get_one(Series, (study_uid, series_uid), with_for_update=True)
            now_current = {one.path for one in current_instances(session, study_uid, series_uid)}
            if not now_current.issuperset(one.path for one in instances):
                return False
            series.caller = instances[0].caller if instances else series.caller
            self._keep(session, series, generation, given)
            series.split, series.settled = generation, seen
            return True

    def _sorted(self, study_uid: str, series_uid: str, instances: Sequence[Instance]) -> _Sorted:
        """Make stacks of objects; those of two patients in one series, as a correction may leave them, lie apart."""
        folder = self._config.storage_folder
        parts: dict[str, Split] = {}
        known = sorted({one.patient for one in instances} - {""}) or [""]
        for patient in known:  # rows of earlier times name none
            theirs = [one for one in instances if (one.patient or known[0]) == patient]
            readable = [(str(folder / one.path), one.caller) for one in theirs if not one.reason]
            found = split(study_uid, series_uid, readable)
            corrections = {str(folder / one.path): one.correction for one in theirs}
            parts[patient] = replace(found, stacks=tuple(_counted(stack, corrections) for stack in found.stacks))
        patients = {stack_id(stack): patient for patient, part in parts.items() for stack in part.stacks}
        stacks = tuple(stack for part in parts.values() for stack in part.stacks)
        damaged = [(one.uid, one.reason) for one in instances if one.reason]
        unreadable = (*(one for part in parts.values() for one in part.unreadable), *damaged)
        content = functools.cache(content_digest)  # of one object that was cut into many stacks
        shown = {stack_id(stack): stack_content(stack, content) for stack in stacks}
        return _Sorted(Split(stacks, unreadable), shown, patients)

    def _keep(self, session: Session, series: Series, generation: int, given: _Sorted) -> None:
        found = given.found
        is_empty = series.arrived > 0 and series.arrived == series.gone  # all were corrected away
        contents = found.stacks or (() if is_empty else (Content(series.study_uid, series.uid, (), {}),))
        is_backlog = self._is_backlog(session, series)
        ids = [
            stack_id(content) if content.frames else digest(series.study_uid, series.uid)[:32] for content in contents
        ]
        self._supersede(session, series, generation, ids)
        for number, (key, content) in enumerate(zip(ids, contents, strict=True), 1):
            if session.get(Stack, key) is None:
                shows, patient = given.shown.get(key, ""), given.patients.get(key, "")
                row = self._row(key, recognised(session, content, shows, patient), generation, number)
                row.shows, row.patient, row.backlog = shows, patient, is_backlog
                session.add(row)
                note(session, key, f"stack {number} of series {series.uid}, generation {generation}")
                self._refuse_broken(session, series, row, found)

    def _is_backlog(self, session: Session, series: Series) -> bool:
        """Say whether the caller has sent more series within an hour than count as live work."""
        since = series.opened_at - _HOUR_S
        query = select(func.count()).where(
            Series.caller == series.caller, Series.opened_at > since, Series.opened_at <= series.opened_at
        )
        return session.scalars(query.select_from(Series)).one() > self._config.storage.live_series_per_h

    def _refuse_broken(self, session: Session, series: Series, row: Stack, found: Split) -> None:
        """A stack that may lack a slice is never run on; one that lacks some, or keeps changing, waits for a person."""
        if found.unreadable:
            what = "; ".join(f"{name}: {why}" for name, why in found.unreadable[:3])
            move(session, row, StackState.REFUSED, f"{len(found.unreadable)} objects cannot be read: {what}")
        elif series.expected > (here := series.arrived - series.gone):
            move(session, row, StackState.HELD, f"{here} of {series.expected} expected instances came")
        elif row.generation > self._config.storage.max_generations:
            move(session, row, StackState.HELD, f"the series changed {row.generation} times")

    def _supersede(self, session: Session, series: Series, generation: int, ids: Iterable[str]) -> None:
        theirs = Stack.study_uid == series.study_uid, Stack.series_uid == series.uid, Stack.id.not_in(ids)
        query = select(Stack).where(*theirs, Stack.state.in_((*UNFINISHED, StackState.HELD)))
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


def _counted(stack: Content, corrections: Mapping[str, int]) -> Content:
    """Return a stack with its images' corrections (by path), each image counted once."""
    return replace(stack, correction=sum(corrections[path] for path in {frame.path for frame in stack.frames}))
