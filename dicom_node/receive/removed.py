"""Versions whose files retention has removed, durable in removed/<study>/<series>.json, with digests of each.

A later version of the same SOP Instance is compared with these digests, since the removed file is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dicom_node.catalog import VersionState
from dicom_node.receive.records import named_where_damaged, write_record
from dicom_node.receive.versions import Version

_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class ObjectDigests:
    """Digests of what an object says and shows."""

    layout: str  # SOP class, rows, columns, frames, samples and bits
    geometry: str
    header: str
    content: str  # of an object without pixels
    encoded: str  # pixels as they are encoded, and the transfer syntax
    decoded: str  # pixels; "" where they were not decoded


@dataclass(frozen=True, slots=True)
class RemovedVersion:
    """A version whose file was removed; its digests are None where the file could not be read."""

    version: Version
    digests: ObjectDigests | None


class RemovedVersions:
    """The folder of the records of removed versions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def series(self) -> Iterator[tuple[str, str]]:
        """Yield Study and Series Instance UID of every series of which something was removed."""
        yield from ((path.parent.name, path.stem) for path in self._folder.glob(f"*/*{_SUFFIX}"))

    def read(self, series: tuple[str, str]) -> Mapping[str, RemovedVersion]:
        """Return what was removed of a series, by the version's path below the storage folder.

        Raises:
            OSError: the disk would not let us, or the record is damaged.
        """
        path = self._path(series)
        if not path.exists():
            return {}
        with named_where_damaged(path):
            return _as_versions(json.loads(path.read_bytes()))

    def write(self, series: tuple[str, str], removed: Sequence[RemovedVersion]) -> None:
        """Write down durably what is about to be removed of a series; what was removed of it before stays.

        Raises:
            OSError: it is not written down.
        """
        known = {**self.read(series), **{one.version.path: one for one in removed}}
        write_record(self._path(series), [asdict(version) for version in known.values()])

    def _path(self, series: tuple[str, str]) -> Path:
        study_uid, series_uid = series
        return self._folder / study_uid / f"{series_uid}{_SUFFIX}"


def removed_digests(path: Path) -> ObjectDigests | None:
    """Return the digests of the version that stood at storage/<study>/<series>/<name>; None where there are none."""
    folder = path.parents[3]  # as in shelf.py
    series = path.parent.parent.name, path.parent.name
    removed = RemovedVersions(folder / "removed").read(series).get(path.relative_to(folder).as_posix())
    return removed.digests if removed else None


def _as_versions(said: Sequence[Mapping[str, dict[str, object]]]) -> Mapping[str, RemovedVersion]:
    found = {}
    for one in said:
        version = Version(**{**one["version"], "state": VersionState(one["version"]["state"])})  # type: ignore[arg-type]
        digests = ObjectDigests(**one["digests"]) if one["digests"] else None  # type: ignore[arg-type]
        found[version.path] = RemovedVersion(version, digests)
    return found
