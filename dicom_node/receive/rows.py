"""The rows that received objects have in the catalog, written for a batch of objects in one transaction."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from sqlalchemy import Row, Table, delete, insert, select, update
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Event, Instance, OpenAssociation, Series, Study, VersionState
from dicom_node.catalog.corrections import Correction, end_stacks
from dicom_node.receive.contest import Settled
from dicom_node.receive.placing import Note, Placed
from dicom_node.receive.versions import Version, of_row

_AT_ONCE = 500  # values in one statement; databases take no number of them
_Series: TypeAlias = tuple[str, str]  # Study and Series Instance UID
_Before: TypeAlias = Row[str, str, str, VersionState, int, float]
_INSTANCE = cast(Table, Instance.__table__)  # for inserting without the cost of mapped objects


class KnownRows:
    """The versions of a batch's SOP Instances by their rows, and by the rows that the batch will make."""

    def __init__(self, catalog: Catalog, uids: Sequence[str]) -> None:
        self._catalog = catalog
        self._fetched: set[str] = set()
        self._versions: defaultdict[str, dict[str, Version]] = defaultdict(dict)  # by UID and path
        self.fetch(uids)

    def fetch(self, sop_instance_uids: Sequence[str]) -> None:
        """Look up the versions of further SOP Instances."""
        uids = [uid for uid in dict.fromkeys(sop_instance_uids) if uid not in self._fetched]
        self._fetched.update(uids)
        with self._catalog.read() as session:
            for first in range(0, len(uids), _AT_ONCE):
                query = select(Instance).where(Instance.uid.in_(uids[first : first + _AT_ONCE]))
                for version in map(of_row, session.scalars(query).all()):
                    self._versions[version.uid][version.path] = version

    def versions(self, sop_instance_uid: str) -> Sequence[Version]:
        """Return every version of a SOP Instance, the oldest first."""
        found = self._versions.get(sop_instance_uid)
        return sorted(found.values(), key=lambda one: (one.at, one.path)) if found else ()

    def expect(self, settled: Settled) -> None:
        """Remember what is about to be written."""
        for version in settled.versions:
            self._versions[version.uid][version.path] = version


def known(catalog: Catalog, uids: Sequence[str]) -> KnownRows:
    """Look a batch of SOP Instance UIDs up."""
    return KnownRows(catalog, uids)


def find_versions(catalog: Catalog, version_id: str) -> Sequence[Version]:
    """Return the versions whose hash begins with some digits, at most two."""
    query = select(Instance).where(Instance.sha256.startswith(version_id, autoescape=True)).limit(2)
    with catalog.read() as session:
        return [of_row(row) for row in session.scalars(query).all()]


def write(catalog: Catalog, receiver: str, placed: Sequence[tuple[Placed, str]]) -> None:
    """Write the rows of files, and of the associations that sent them ("" is none); doing it twice adds nothing."""
    now = time.time()
    notes = [note for one, _ in placed for note in one.notes]
    still_open = {(association, one.study_uid) for one, association in placed if association and one.study_uid}
    settled = [one.settled for one, _ in placed if one.settled.versions]
    if not (settled or notes or still_open):
        return
    with catalog.write() as session:
        _write_settled(session, settled, now)
        _write_notes(session, notes, now)
        for association, study_uid in still_open:
            session.merge(OpenAssociation(id=_id(receiver, association), study_uid=study_uid))


def _write_notes(session: Session, notes: Iterable[Note], now: float) -> None:
    session.add_all(Event(at=now, subject=note.subject, text=note.text) for note in notes)


def _write_settled(session: Session, settled: Sequence[Settled], now: float) -> None:
    """Write versions with what they count for, and let their series know what came and what left."""
    versions = {one.path: one for each in settled for one in each.versions}
    if not versions:
        return
    query = select(
        Instance.uid, Instance.path, Instance.sha256, Instance.state, Instance.correction, Instance.removed_at
    )
    uids = list(dict.fromkeys(one.uid for one in versions.values()))
    parts = [uids[first : first + _AT_ONCE] for first in range(0, len(uids), _AT_ONCE)]
    rows = [row for part in parts for row in session.execute(query.where(Instance.uid.in_(part))).all()]
    has_row = {row.path: row for row in rows}
    _touch_studies(session, versions.values(), now)
    _add_series(session, versions.values(), now)
    _write_versions(session, versions, {path: row.sha256 for path, row in has_row.items()})
    before = {row.uid: row for row in rows if row.state == VersionState.CURRENT}
    removed = {(row.uid, row.correction) for row in rows if row.removed_at}
    _count(session, versions.values(), before, removed, now)
    _note_removal(session, versions.values())
    end_stacks(session, _corrections(settled), now)


def _write_versions(session: Session, versions: dict[str, Version], has_row: dict[str, str]) -> None:
    """What no longer counts is written first: at most one version of a SOP Instance is current at any moment."""
    stale = [sha256 for path, sha256 in has_row.items() if path in versions and versions[path].sha256 != sha256]
    if stale:
        session.execute(delete(Instance).where(Instance.sha256.in_(stale)))
    old = [one for path, one in versions.items() if has_row.get(path) == one.sha256]
    for is_current in (False, True):
        changed = [one.columns() for one in old if one.is_current == is_current]
        if changed:
            session.execute(update(Instance), changed)
    new = [one.columns() for path, one in versions.items() if has_row.get(path) != one.sha256]
    if new:
        session.execute(insert(_INSTANCE), new)


def _touch_studies(session: Session, versions: Iterable[Version], now: float) -> None:
    first_at: dict[str, float] = {}
    for one in versions:
        first_at[one.study_uid] = min(one.at, first_at.get(one.study_uid, one.at))
    for uid, at in first_at.items():
        study = session.get(Study, uid)
        if study is None:
            session.add(Study(uid=uid, first_at=at, last_at=now))
        else:
            study.first_at, study.last_at = min(study.first_at, at), now
    session.flush()  # before the rows that point to them


def _add_series(session: Session, versions: Iterable[Version], now: float) -> None:
    wanted = {one.series for one in versions}
    query = select(Series.study_uid, Series.uid).where(Series.uid.in_({uid for _, uid in wanted}))
    known_series = {(study_uid, uid) for study_uid, uid in session.execute(query).all()}
    for study_uid, uid in wanted - known_series:
        session.add(Series(uid=uid, study_uid=study_uid, last_at=now, arrived=0))
    session.flush()


def _count(
    session: Session,
    versions: Iterable[Version],
    before: Mapping[str, _Before],
    removed: Collection[tuple[str, int]],
    now: float,
) -> None:
    """Add to the series' counts in the database itself: others write to these rows too.

    A SOP Instance has come where a version is current and none was, and left where none is any more; where another
    version is, it has done both, unless that only says something else (with the same correction number). What was
    removed and is here again has not come, and what was removed does not leave. `before` is the current version's row
    by SOP Instance UID, `removed` the UID and the correction number of each version that was removed.
    """
    after = {one.uid: one for one in versions if one.is_current}
    came, left, updated = Counter[_Series](), Counter[_Series](), Counter[_Series]()
    for one in versions:
        was, new = before.get(one.uid), after.get(one.uid)
        if was is None:
            is_back = one.is_removed or (one.uid, one.correction) in removed
            came[one.series] += one is new and not is_back
        elif one is new and one.path != was.path:
            (updated if one.correction == was.correction else came)[one.series] += 1
        elif one.path == was.path and not one.is_current and was.removed_at == 0:
            left[one.series] += new is None or new.correction != was.correction
    for study_uid, uid in +updated:
        _change(session, study_uid, uid, headers=Series.headers + 1)
    back = {one.series for uid, one in after.items() if uid in before and before[uid].removed_at and not one.is_removed}
    for series in {*+came, *+left, *back}:
        _change(session, *series, arrived=Series.arrived + came[series], gone=Series.gone + left[series], last_at=now)


def _note_removal(session: Session, versions: Iterable[Version]) -> None:
    """Say of the series of removed versions when that was: the rows may be made anew from the disk."""
    for one in versions:
        if one.is_removed:
            series = Series.study_uid == one.study_uid, Series.uid == one.series_uid
            earlier = update(Series).where(*series, Series.removed_at < one.removed_at)
            session.execute(earlier.values(removed_at=one.removed_at))


def _change(session: Session, study_uid: str, uid: str, **values: object) -> None:
    session.execute(update(Series).where(Series.study_uid == study_uid, Series.uid == uid).values(**values))


def _corrections(settled: Iterable[Settled]) -> list[Correction]:
    return [
        Correction(*one.version.series, one.version.uid, one.why, one.recalls)
        for each in settled
        for one in each.displaced
    ]


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
