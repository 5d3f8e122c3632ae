"""The search at start for kept files that the catalog does not know: the disk is the truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from dicom_node.catalog import Catalog, Instance, Series
from dicom_node.receive.removed import RemovedVersions
from dicom_node.receive.shelf import Shelf


def series_folders(shelf: Shelf) -> Iterator[Path]:
    """Yield the folder of each series in the storage."""
    yield from (folder for folder in shelf.storage.glob("*/*") if folder.is_dir())


def files_without_row(shelf: Shelf, catalog: Catalog, folder: Path) -> list[Path]:
    """Return the objects of one series folder that have no row, oldest first."""
    with catalog.read() as session:
        series = Instance.study_uid == folder.parent.name, Instance.series_uid == folder.name, Instance.removed_at == 0
        known = set(session.scalars(select(Instance.path).where(*series)))
    missing = [path for path in folder.glob("*.dcm") if shelf.relative(path) not in known]
    return sorted(missing, key=lambda path: path.stat().st_mtime_ns)


def removed_without_row(shelf: Shelf, catalog: Catalog) -> list[tuple[str, str]]:
    """Return the series of which something was removed, by study and series, that the catalog does not know of."""
    with catalog.read() as session:
        known = {(one.study_uid, one.uid) for one in session.scalars(select(Series).where(Series.removed_at > 0))}
    return sorted(set(RemovedVersions(shelf.removed).series()) - known)


def set_aside(shelf: Shelf) -> list[Path]:
    """Return what earlier versions of this program set aside without a row, oldest first.

    That is what contradicted the one object that was kept of each SOP Instance UID, and what could not be read.
    """
    paths = [*shelf.conflicts.glob("*.dcm"), *shelf.unreadable.glob("*.dcm")]
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns)
