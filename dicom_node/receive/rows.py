"""The rows that received objects have in the catalog."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Event, Instance, OpenAssociation, Series, Study
from dicom_node.receive.placing import Placed
from dicom_node.receive.shelf import Found, Shelf


class KnownRows:
    """Where objects stand by their rows, and by the rows that the running batch will make."""

    def __init__(self, shelf: Shelf, catalog: Catalog) -> None:
        self._shelf = shelf
        self._catalog = catalog
        self._expected: dict[str, Path] = {}

    def place(self, sop_instance_uid: str) -> Path | None:
        """Return where the object of this SOP Instance UID stands."""
        if sop_instance_uid in self._expected:
            return self._expected[sop_instance_uid]
        with self._catalog.read() as session:
            row = session.get(Instance, sop_instance_uid)
        return None if row is None else self._shelf.folder / row.path

    def expect(self, sop_instance_uid: str, path: Path) -> None:
        """Remember what is about to get its row."""
        self._expected[sop_instance_uid] = path


class RowWriter:
    """Adds what arrived to one open transaction; doing it twice adds nothing."""

    def __init__(self, session: Session, shelf: Shelf) -> None:
        self._session = session
        self._shelf = shelf
        self._now = time.time()
        self._held: list[object] = []  # the session itself holds rows weakly, and would load each of them again

    def add(self, placed: Placed) -> None:
        """Add one file's rows."""
        if placed.kept is not None:
            self._add_instance(placed.kept)
        if placed.note is not None:
            self._session.add(Event(at=self._now, subject=placed.note.subject, text=placed.note.text))

    def _add_instance(self, found: Found) -> None:
        identity = found.header.identity
        self._touch_study(identity.study_uid, found.at)
        series = self._series(identity.series_uid, identity.study_uid)
        if self._session.get(Instance, identity.sop_instance_uid) is None:
            series.arrived += 1
            series.last_at = self._now
        self._session.merge(
            Instance(
                uid=identity.sop_instance_uid,
                series_uid=identity.series_uid,
                sop_class_uid=identity.sop_class_uid,
                transfer_syntax_uid=found.header.transfer_syntax_uid,
                path=self._shelf.relative(found.path),
                size=found.size,
                sha256=found.sha256,
                caller=found.header.caller,
                at=found.at,
            )
        )

    def _touch_study(self, uid: str, at: float) -> None:
        study = self._session.get(Study, uid)
        if study is None:
            study = Study(uid=uid, first_at=at, last_at=self._now)
            self._session.add(study)
            self._session.flush()  # before the rows that point to it
            self._held.append(study)
        study.first_at = min(study.first_at, at)
        study.last_at = self._now

    def _series(self, uid: str, study_uid: str) -> Series:
        series = self._session.get(Series, uid)
        if series is None:
            series = Series(uid=uid, study_uid=study_uid, last_at=self._now, arrived=0)
            self._session.add(series)
            self._session.flush()
            self._held.append(series)
        return series


def write(catalog: Catalog, shelf: Shelf, placed: Iterable[tuple[Placed, str | None]]) -> None:
    """Write the rows of files and of the associations (their ids) that sent them, in one transaction."""
    still_open = set()
    with catalog.write() as session, session.no_autoflush:
        writer = RowWriter(session, shelf)
        for one, association in placed:
            writer.add(one)
            if association is not None and one.study_uid is not None:
                still_open.add((association, one.study_uid))
        for association, study_uid in still_open:
            session.merge(OpenAssociation(id=association, study_uid=study_uid))


def forget_associations(catalog: Catalog, ids: Iterable[str]) -> None:
    """Say that these associations have ended."""
    with catalog.write() as session:
        session.execute(delete(OpenAssociation).where(OpenAssociation.id.in_(list(ids))))


def forget_receiver(catalog: Catalog, receiver: str) -> None:
    """Say that all associations of a receiver have ended, because it has only now started."""
    with catalog.write() as session:
        session.execute(delete(OpenAssociation).where(OpenAssociation.id.startswith(f"{receiver}.", autoescape=True)))
