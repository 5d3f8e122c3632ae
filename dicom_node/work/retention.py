"""Removing what is finished and old, so that the disk never fills: images and results go, what happened stays known."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path

from sqlalchemy import ColumnElement, exists, or_, select, update

from dicom_node.catalog import (
    UNSENT,
    Catalog,
    Delivery,
    DeliveryState,
    Instance,
    Result,
    Run,
    Series,
    Stack,
    StackState,
    VersionState,
)
from dicom_node.config import Config
from dicom_node.receive.comparing_removed import digest_object
from dicom_node.receive.removed import RemovedVersion, RemovedVersions
from dicom_node.receive.shelf import Shelf
from dicom_node.receive.versions import Version, of_row
from dicom_node.results.heading import keep_heading
from dicom_node.work.counting import is_open
from dicom_node.work.ending import note
from dicom_node.work.making import MADE_AT

_DAY_S = 24 * 3600.0
_AT_ONCE_S = 2.0  # in which nothing else is reconciled
_UNSETTLED = (DeliveryState.FAILED, DeliveryState.RECALLED, DeliveryState.MISFILED)
_REMOVABLE = Instance.state != VersionState.HELD, Instance.removed_at == 0  # a held version waits for a person
_FINISHED = (StackState.DELIVERED, StackState.NOTHING, StackState.REFUSED)


class Retention:
    """Removes series by age and by space; never one that waits, is held or failed, or whose results are not all out."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def tidy(self) -> int:
        """Remove what may go, for two seconds at most; returns how many series."""
        removed, until = 0, time.monotonic() + _AT_ONCE_S
        while (oldest := self._next()) and (not removed or time.monotonic() < until):
            self._remove(*oldest)
            removed += 1
        return removed

    def _next(self) -> tuple[str, str] | None:
        storage, now = self._config.storage, time.time()
        oldest = None if storage.keep_days is None else self._oldest(before=now - storage.keep_days * _DAY_S)
        if oldest is None and storage.keep_free_gb is not None and self._free_gb() < storage.keep_free_gb:
            return self._oldest(before=now)
        return oldest

    def _free_gb(self) -> float:
        return shutil.disk_usage(self._config.storage_folder).free / 1e9

    def _oldest(self, before: float) -> tuple[str, str] | None:
        """Return Study and Series Instance UID of what may go first."""
        its_versions = Instance.study_uid == Series.study_uid, Instance.series_uid == Series.uid
        its_stacks = Stack.study_uid == Series.study_uid, Stack.series_uid == Series.uid
        query = select(Series.study_uid, Series.uid).where(
            Series.last_at < before,
            exists().where(*its_versions, *_REMOVABLE),
            ~exists().where(*its_versions, Instance.committed_until > time.time()),
            (Series.generation > 0) | (Series.arrived == 0),
            Series.arrived + Series.gone <= Series.settled,
            Series.split == Series.generation,
            ~is_open(time.time()),
            ~exists().where(*its_stacks, Stack.state.not_in(_FINISHED)),
            ~exists()
            .where(Delivery.result_uid == Result.uid, Result.run_id == Run.id, Run.stack_id == Stack.id)
            .where(*its_stacks, self._is_under_way()),
        )
        with self._catalog.read() as session:
            found = session.execute(query.order_by(Series.last_at).limit(1)).first()
            return None if found is None else (found[0], found[1])

    def _is_under_way(self) -> ColumnElement[bool]:
        """Say of a delivery that it is not out yet; that a peer is not required makes no difference."""
        proving = [name for name, peer in self._config.peers.items() if peer.commitment != "none"]
        unproved = (Delivery.state == DeliveryState.STORED) & Delivery.peer.in_(proving)
        return or_(Delivery.state.in_((*UNSENT, *_UNSETTLED)), unproved)

    def _remove(self, study_uid: str, series_uid: str) -> None:
        """Write down what goes, say so in the rows, then remove it: after a crash in between, files are found again."""
        folder = self._config.storage_folder
        theirs = Instance.study_uid == study_uid, Instance.series_uid == series_uid
        with self._catalog.read() as session:
            versions = [of_row(row) for row in session.scalars(select(Instance).where(*theirs, *_REMOVABLE))]
        self._write_down((study_uid, series_uid), versions)
        self._reduce_runs(study_uid, series_uid)
        with self._catalog.write() as session:
            series = session.get_one(Series, (study_uid, series_uid))
            series.removed_at = time.time()
            gone = update(Instance).where(*theirs, *_REMOVABLE, Instance.path.in_([one.path for one in versions]))
            session.execute(gone.values(removed_at=series.removed_at))
            note(session, series.uid, f"{len(versions)} objects were removed: finished, and old or in the way")
        for path in [folder / one.path for one in versions]:
            path.unlink(missing_ok=True)
            _remove_empty(path.parent, folder / "storage")

    def _write_down(self, series: tuple[str, str], versions: Sequence[Version]) -> None:
        folder, now = self._config.storage_folder, time.time()
        removed = [RemovedVersion(replace(one, removed_at=now), digest_object(folder / one.path)) for one in versions]
        RemovedVersions(Shelf(folder).removed).write(series, removed)

    def _reduce_runs(self, study_uid: str, series_uid: str) -> None:
        """Remove what runs found and made, but for the headings of what left: it may have to be withdrawn."""
        with self._catalog.read() as session:
            query = select(Run.id).join(Stack, Run.stack_id == Stack.id)
            query = query.where(Stack.study_uid == study_uid, Stack.series_uid == series_uid)
            runs = session.scalars(query).all()
            sent = select(Result.path).where(Result.run_id.in_(runs), exists().where(Delivery.result_uid == Result.uid))
            headings = {self._config.storage_folder / path for path in session.scalars(sent).all()}
        for run in runs:
            _reduce(self._config.storage_folder / "runs" / run, headings)


def _reduce(folder: Path, headings: AbstractSet[Path]) -> None:
    """Leave in a run's folder the headings of the results that are named, and the time that they carry."""
    kept = headings & {*folder.glob("*.dcm")}
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in kept:
        keep_heading(path)
    for path in folder.iterdir():
        if path not in kept and path.name != MADE_AT:
            path.unlink()


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove a folder and those above it that hold nothing any more, up to the root."""
    while folder != root and folder.is_relative_to(root):
        try:
            folder.rmdir()
        except OSError:  # something is in it
            return
        folder = folder.parent
