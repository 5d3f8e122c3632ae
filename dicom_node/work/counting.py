"""The job that finds out how many instances a series should have: from its header, or from where it comes from."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Instance, OpenAssociation, Series, Study, VersionState
from dicom_node.config import Config
from dicom_node.deliver import count_series
from dicom_node.encoding.narrow import decode_header
from dicom_node.errors import ObjectError, PeerError
from dicom_node.work.durable import Step
from dicom_node.work.ending import note
from dicom_node.work.wanted import ASK_QUEUE, Wanted

_HELD_OPEN_S = 3600.0
_SAYS = ("NumberOfSeriesRelatedInstances", "ImagesInAcquisition")


class Counting:
    """Writes down what is expected; nothing, where nobody says, so that silence alone decides."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (study UID, series UID)."""
        study_uid, series_uid = args
        step("count", self._count, study_uid, series_uid)

    def failed(self, study_uid: str, series_uid: str, error: str) -> None:
        """Let silence decide."""
        self._keep(study_uid, series_uid, 0, error)

    def _count(self, study_uid: str, series_uid: str) -> None:
        with self._catalog.read() as session:
            instance = next(iter(current_instances(session, study_uid, series_uid)), None)
        if instance is None:  # all were corrected away meanwhile
            self._keep(study_uid, series_uid, 0, "")
            return
        callers = [peer for peer in self._config.peers.values() if peer.ae_title == instance.caller and not peer.url]
        why = ""
        if self._config.storage.complete_when == "source" and callers:
            try:
                count = count_series(self._config, callers[0], study_uid, series_uid)
            except PeerError as error:
                count, why = 0, str(error)
        else:
            count, why = _said(self._config.storage_folder / instance.path)
        self._keep(study_uid, series_uid, count, why)

    def _keep(self, study_uid: str, series_uid: str, count: int, why: str) -> None:
        with self._catalog.write() as session:
            series = session.get_one(Series, (study_uid, series_uid))
            series.expected, series.counted_at = count, time.time()
            if count or why:
                note(
                    session,
                    series_uid,
                    why or f"{count} instances are expected, {series.arrived - series.gone} are here",
                )


def current_instances(session: Session, study_uid: str, series_uid: str) -> Sequence[Instance]:
    """Return the versions of a series that count and are on disk, the oldest first."""
    query = select(Instance).where(
        Instance.study_uid == study_uid,
        Instance.series_uid == series_uid,
        Instance.state == VersionState.CURRENT,
        Instance.removed_at == 0,
    )
    return session.scalars(query.order_by(Instance.at, Instance.path)).all()


def _said(path: Path) -> tuple[int, str]:
    """Return how many instances a header says that there are, 0 where it does not, and why it cannot be asked."""
    try:
        header = decode_header(str(path)).dataset
    except ObjectError as error:
        return 0, error.problem
    return max(int(header.get(keyword) or 0) for keyword in _SAYS), ""


def is_quiet(config: Config, now: float) -> ColumnElement[bool]:
    """Say of a series whether it has been silent long enough, over all callers, to be looked at for the first time."""
    return (Series.last_at < now - config.storage.series_quiet_s) & ~is_open(now)


def is_open(now: float) -> ColumnElement[bool]:
    """Say of a series whether an association that sent to its study still may send more.

    Not for longer than an hour after the study's last object: the association may be one of a machine that is gone.
    """
    return exists().where(
        OpenAssociation.study_uid == Series.study_uid,
        Study.uid == Series.study_uid,
        Study.last_at > now - _HELD_OPEN_S,
    )


def is_complete(config: Config, now: float) -> ColumnElement[bool]:
    """Say of a silent series whether all that is expected of it is here, or has been waited for long enough."""
    if config.storage.complete_when == "quiet":
        return Series.generation == 0
    waited = Series.last_at < now - config.storage.complete_wait_s
    return (Series.counted_at >= Series.last_at) & ((Series.expected <= Series.arrived - Series.gone) | waited)


def uncounted(session: Session, config: Config, now: float) -> Iterator[Wanted]:
    """Yield the jobs of silent series of which it is not known how many instances they should have."""
    if config.storage.complete_when == "quiet":
        return
    query = select(Series).where(
        Series.generation == 0, Series.arrived > 0, Series.counted_at < Series.last_at, is_quiet(config, now)
    )
    for series in session.scalars(query).all():
        yield Wanted("count", (series.study_uid, series.uid), series.attempt, ASK_QUEUE, 1)
