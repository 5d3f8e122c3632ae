"""Removing what is finished and old, so that the disk never fills: images and results go, what happened stays known."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

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
from dicom_node.work.counting import is_open
from dicom_node.work.ending import note

_DAY_S = 24 * 3600.0
_UNSETTLED = (DeliveryState.FAILED, DeliveryState.RECALLED, DeliveryState.MISFILED)
_FINISHED = (StackState.DELIVERED, StackState.NOTHING, StackState.REFUSED)


class Retention:
    """Removes series by age and by space; never one that waits, is held or failed, or whose results are not all out."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def tidy(self) -> int:
        """Remove what may go; returns how many series."""
        storage, removed = self._config.storage, 0
        if storage.keep_days is not None:
            while oldest := self._oldest(before=time.time() - storage.keep_days * _DAY_S):
                self._remove(*oldest)
                removed += 1
        if storage.keep_free_gb is not None:
            while self._free_gb() < storage.keep_free_gb and (oldest := self._oldest(before=time.time())):
                self._remove(*oldest)
                removed += 1
        return removed

    def _free_gb(self) -> float:
        return shutil.disk_usage(self._config.storage_folder).free / 1e9

    def _oldest(self, before: float) -> tuple[str, str] | None:
        """Return Study and Series Instance UID of what may go first."""
        its_versions = Instance.study_uid == Series.study_uid, Instance.series_uid == Series.uid
        its_stacks = Stack.study_uid == Series.study_uid, Stack.series_uid == Series.uid
        query = select(Series.study_uid, Series.uid).where(
            Series.last_at < before,
            exists().where(*its_versions, Instance.state != VersionState.HELD),
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
        """Forget the rows first: after a crash in between, files are registered again, and no row lacks its file."""
        with self._catalog.write() as session:
            series = session.get_one(Series, (study_uid, series_uid))
            files = self._forget(session, series)
        for path in files:
            path.unlink(missing_ok=True)
            _remove_empty(path.parent, self._config.storage_folder / "storage")
        with self._catalog.read() as session:
            query = select(Run.id).join(Stack, Run.stack_id == Stack.id)
            query = query.where(Stack.study_uid == study_uid, Stack.series_uid == series_uid)
            for run in session.scalars(query).all():
                shutil.rmtree(self._config.storage_folder / "runs" / run, ignore_errors=True)

    def _forget(self, session: Session, series: Series) -> Sequence[Path]:
        theirs = Instance.study_uid == series.study_uid, Instance.series_uid == series.uid
        query = select(Instance).where(*theirs, Instance.state != VersionState.HELD)  # a held one waits for a person
        instances = session.scalars(query).all()
        for instance in instances:
            session.delete(instance)
        series.removed_at = time.time()
        note(session, series.uid, f"{len(instances)} objects were removed: finished, and old or in the way")
        return [self._config.storage_folder / instance.path for instance in instances]


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove a folder and those above it that hold nothing any more, up to the root."""
    while folder != root and folder.is_relative_to(root):
        try:
            folder.rmdir()
        except OSError:  # something is in it
            return
        folder = folder.parent
