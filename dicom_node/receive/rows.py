"""The rows that received objects have in the catalog, written for a batch of objects in one transaction."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Event, Instance, OpenAssociation, Series, Study
from dicom_node.receive.placing import Placed
from dicom_node.receive.shelf import Found, Shelf


class KnownRows:
    """Where the objects of a batch stand by their rows, and by the rows that the batch will make."""

    def __init__(self, places: dict[str, Path]) -> None:
        self._places = places

    def place(self, sop_instance_uid: str) -> Path | None:
        """Return where the object of this SOP Instance UID stands."""
        return self._places.get(sop_instance_uid)

    def expect(self, sop_instance_uid: str, path: Path) -> None:
        """Remember what is about to get its row."""
        self._places[sop_instance_uid] = path


def known(catalog: Catalog, shelf: Shelf, uids: Sequence[str]) -> KnownRows:
    """Look a batch of SOP Instance UIDs up."""
    with catalog.read() as session:
        found = session.execute(select(Instance.uid, Instance.path).where(Instance.uid.in_(uids))).all()
    return KnownRows({uid: shelf.folder / path for uid, path in found})


def write(catalog: Catalog, shelf: Shelf, receiver: str, placed: Sequence[tuple[Placed, str]]) -> None:
    """Write the rows of files, and of the associations that sent them ("" is none); doing it twice adds nothing."""
    now = time.time()
    kept = list({one.kept.header.identity.sop_instance_uid: one.kept for one, _ in placed if one.kept}.values())
    notes = [one.note for one, _ in placed if one.note is not None]
    still_open = {(association, one.study_uid) for one, association in placed if association and one.study_uid}
    if not (kept or notes or still_open):
        return
    with catalog.write() as session:
        if kept:
            _write_kept(session, shelf, kept, now)
        session.add_all(Event(at=now, subject=note.subject, text=note.text) for note in notes)
        for association, study_uid in still_open:
            session.merge(OpenAssociation(id=_id(receiver, association), study_uid=study_uid))


def _write_kept(session: Session, shelf: Shelf, kept: Sequence[Found], now: float) -> None:
    rows = [_row(shelf, one) for one in kept]
    query = select(Instance.uid, Instance.sha256).where(Instance.uid.in_([row["uid"] for row in rows]))
    has_row = {row.uid: row.sha256 for row in session.execute(query).all()}
    _touch_studies(session, kept, now)
    _add_series(session, kept, now)
    new, old = ([row for row in rows if (row["uid"] in has_row) == is_old] for is_old in (False, True))
    if new:
        session.execute(insert(Instance), new)
        _count(session, Counter(str(row["series_uid"]) for row in new), now)
    if old:
        session.execute(update(Instance), old)
        changed = {row["series_uid"] for row in old if row["sha256"] != has_row[str(row["uid"])]}
        session.execute(update(Series).where(Series.uid.in_(changed)).values(headers=Series.headers + 1))


def _row(shelf: Shelf, found: Found) -> dict[str, str | float]:
    identity = found.header.identity
    return {
        "uid": identity.sop_instance_uid,
        "series_uid": identity.series_uid,
        "sop_class_uid": identity.sop_class_uid,
        "transfer_syntax_uid": found.header.transfer_syntax_uid,
        "path": shelf.relative(found.path),
        "size": found.size,
        "sha256": found.sha256,
        "caller": found.header.caller,
        "at": found.at,
    }


def _touch_studies(session: Session, kept: Iterable[Found], now: float) -> None:
    first_at: dict[str, float] = {}
    for one in kept:
        uid = one.header.identity.study_uid
        first_at[uid] = min(one.at, first_at.get(uid, one.at))
    for uid, at in first_at.items():
        study = session.get(Study, uid)
        if study is None:
            session.add(Study(uid=uid, first_at=at, last_at=now))
        else:
            study.first_at, study.last_at = min(study.first_at, at), now
    session.flush()  # before the rows that point to them


def _add_series(session: Session, kept: Iterable[Found], now: float) -> None:
    study_of = {one.header.identity.series_uid: one.header.identity.study_uid for one in kept}
    known_series = session.scalars(select(Series.uid).where(Series.uid.in_(list(study_of))))
    for uid in set(study_of).difference(known_series):
        session.add(Series(uid=uid, study_uid=study_of[uid], last_at=now, arrived=0))
    session.flush()


def _count(session: Session, arrived: Counter[str], now: float) -> None:
    """Add to the series' counts in the database itself: others write to these rows too."""
    for uid, count in arrived.items():
        session.execute(update(Series).where(Series.uid == uid).values(arrived=Series.arrived + count, last_at=now))


def forget_associations(catalog: Catalog, receiver: str, associations: Iterable[str]) -> None:
    """Say that these associations have ended."""
    with catalog.write() as session:
        ids = [_id(receiver, one) for one in associations]
        session.execute(delete(OpenAssociation).where(OpenAssociation.id.in_(ids)))


def keep_associations(catalog: Catalog, receiver: str, associations: Collection[str]) -> None:
    """Say that all associations of a receiver but these have ended."""
    ours = OpenAssociation.id.startswith(_id(receiver, ""), autoescape=True)
    kept = OpenAssociation.id.in_([_id(receiver, one) for one in associations])
    with catalog.write() as session:
        session.execute(delete(OpenAssociation).where(ours & ~kept))


def _id(receiver: str, association: str) -> str:
    return f"{receiver}.{association}"
