"""Which folder a file goes to and what it counts for there; what cannot be read goes aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

from dicom_node.catalog import VersionState
from dicom_node.errors import ObjectError
from dicom_node.receive.contest import Contest, Settled, judged, settle_as_written
from dicom_node.receive.difference import Difference
from dicom_node.receive.ledger import Ledger, Rejection
from dicom_node.receive.rejecting import KEY_OBJECTS, Rejecting, RejectionNote, held_note, joined, read_note
from dicom_node.receive.removed import RemovedVersions
from dicom_node.receive.salvage import salvage
from dicom_node.receive.shelf import Found, Shelf, find, move
from dicom_node.receive.versions import Version, of_file, say_state

_Differ: TypeAlias = Callable[[Version, Version], Difference]


@dataclass(frozen=True, slots=True)
class Note:
    """What happened to what, for people."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of one file, as the catalog is to say it."""

    study_uid: str | None = None  # that it belongs to; None where that cannot be read
    settled: Settled = field(default_factory=Settled)
    notes: tuple[Note, ...] = ()
    is_aside: bool = False  # whether it stands in comparing/ until its place is known


class Known(Protocol):
    """What the catalog says is kept."""

    def versions(self, sop_instance_uid: str) -> Sequence[Version]:
        """Return every version of a SOP Instance."""

    def fetch(self, sop_instance_uids: Sequence[str]) -> None:
        """Look up the versions of further SOP Instances."""

    def expect(self, settled: Settled) -> None:
        """Remember what is about to be written."""


def look_at(shelf: Shelf, path: Path) -> Found | Note:
    """Read the UIDs of a received file; those of an unreadable one come from its path or its File Meta Information.

    May be done again after any error.

    Raises:
        OSError: the disk would not let us.
    """
    try:
        return find(path)
    except FileNotFoundError:
        return _gone(path)
    except ObjectError as error:
        return salvage(shelf, path, error.problem)


def _gone(path: Path) -> Note:
    return Note(path.name, "gone from the disk before it was in the catalog")


class Placing:
    """Moves files to where they belong; each file's move is the last act, so that it may be tried again."""

    def __init__(
        self, shelf: Shelf, ledger: Ledger, contest: Contest, compare: Callable[[Path, Path], Difference]
    ) -> None:
        """`compare` says how the objects in two files differ, or raises UncomparedError."""
        self._compare = compare
        self._shelf = shelf
        self._ledger = ledger
        self._contest = contest
        self._removed = RemovedVersions(shelf.removed)
        self._rejecting = Rejecting(ledger, contest)

    def place(self, found: Found, known: Known) -> Placed:
        """Move one file to where it belongs, and settle what it counts for.

        The first version of a SOP Instance counts; the same data set again is dropped; of another version the rules
        decide (contest.py), and their verdicts lie beside the objects before the file is moved.

        Raises:
            UncomparedError: nothing is settled or moved yet, as another version has to be compared with this one first.
            OSError: the disk would not let us.
        """
        if not found.path.exists():
            return Placed(notes=(_gone(found.path),))
        uid = found.header.identity.sop_instance_uid
        versions = known.versions(uid)
        target = self._shelf.place_of(found)
        version = of_file(found, target)
        if not versions and uid not in self._ledger:
            settled = Settled((version,))
        else:
            settled = self._settled(found, version, versions)
        if version.sop_class_uid == KEY_OBJECTS:
            settled = self._with_rejections(found.path, version, settled, known)
        self._put(found, version, settled)
        known.expect(settled)
        return Placed(found.header.identity.study_uid, settled, tuple(notes_of(settled)))

    def _with_rejections(self, path: Path, version: Version, settled: Settled, known: Known) -> Settled:
        """Add what a rejection note means for what it names; one of a caller who may not correct that is held."""
        mine = next((one for one in settled.versions if one.path == version.path and one.is_current), None)
        said = read_note(version.sop_class_uid, path) if mine is not None else None
        if mine is None or said is None:
            return settled
        rejected, is_allowed = self.reject(mine, said, known, is_decided=False)
        if is_allowed:
            return joined([settled, rejected])
        held = held_note(mine, self._contest.name(mine))
        self._ledger.write(held.uid, [held], None)
        others = [one for one in settled.versions if one is not mine]
        return joined([Settled((*others, held), settled.displaced), rejected])

    def place_removed(self, series: tuple[str, str]) -> Placed:
        """Return what was removed of a series, as rows are to say it that are made anew.

        Raises:
            OSError: the disk would not let us.
        """
        versions = []
        for removed in self._removed.read(series).values():
            verdict = self._ledger.read(removed.version.uid).verdicts.get(removed.version.path)
            versions.append(judged(removed.version, verdict) if verdict else removed.version)
        return Placed(settled=Settled(tuple(versions)))

    def reject(self, note: Version, said: RejectionNote, known: Known, *, is_decided: bool) -> tuple[Settled, bool]:
        """Return what a rejection note changes, and whether its sender may have all of it.

        Raises:
            OSError: it cannot be written down.
        """
        known.fetch(said.sop_instance_uids)
        return self._rejecting.settle(note, said, known.versions, is_decided=is_decided)

    def _settled(self, found: Found, version: Version, versions: Sequence[Version]) -> Settled:
        """Settle a version of a SOP Instance of which something is known already."""
        same = next((one for one in versions if self._is_same(found, one)), None)
        contested = self._ledger.read(version.uid)
        difference = partial(self._difference, found.path)
        if same is not None:
            settled = self._again(version, same, versions, difference)
        elif version.path in contested.verdicts:
            return settle_as_written(version, versions, contested)
        elif contested.rejection is not None:
            settled = self._contest.reject([version], contested.rejection)
            settled = Settled(settled.versions)
        elif version.is_damaged:
            settled = self._contest.settle_damaged(version, versions)
        elif found.path.parent == self._shelf.conflicts:
            settled = _of_old_conflict(version, versions, difference)
        else:
            settled = self._contest.settle(version, [self._refreshed(one) for one in versions], difference)
        if len(versions) > 1 or same is None:
            self.write_down(versions, settled, contested.rejection)
        return settled

    def write_down(self, versions: Sequence[Version], settled: Settled, rejection: Rejection | None) -> None:
        """Make what was settled about one SOP Instance durable.

        Raises:
            OSError: it is not.
        """
        changed = {one.path: one for one in settled.versions}
        if changed:
            every = [*(changed.pop(one.path, one) for one in versions), *changed.values()]
            self._ledger.write(every[0].uid, every, rejection)

    def _again(self, version: Version, same: Version, versions: Sequence[Version], difference: _Differ) -> Settled:
        """The same data set: only who sent it, or that its file was lost, may say something new."""
        if same.is_current:
            is_lost = same.is_removed or not self._is_whole(same)
            is_owned = self._contest.is_named(version) and not self._contest.is_named(same)
            return Settled((_taken_over(version, same),)) if is_lost or is_owned else Settled()
        return self._contest.settle_again(version, same, versions, difference)

    def _put(self, found: Found, version: Version, settled: Settled) -> None:
        """Move the file to its place, to that of the same data set, or nowhere."""
        mine = next((one for one in settled.versions if (one.sha256, one.size) == (version.sha256, version.size)), None)
        target = self._shelf.whole(version.path if mine is None else mine.path)
        if found.path == target:
            return
        if mine is None:
            found.path.unlink()
        else:
            move(found.path, target)

    def _is_same(self, found: Found, version: Version) -> bool:
        """Say whether a file holds a known version's data set; rows of earlier times tell it of their whole file."""
        if version.data_set_at:
            return found.sha256 == version.sha256
        path = self._shelf.whole(version.path)
        if path == found.path:
            return True
        try:
            return find(path).sha256 == found.sha256
        except (FileNotFoundError, ObjectError):
            return False

    def _is_whole(self, version: Version) -> bool:
        path = self._shelf.whole(version.path)
        return path.exists() and path.stat().st_size == version.size

    def _refreshed(self, version: Version) -> Version:
        """Add what rows of earlier times do not say, from the file."""
        if version.data_set_at:
            return version
        try:
            return replace(version, patient=find(self._shelf.whole(version.path)).header.patient)
        except (FileNotFoundError, ObjectError):
            return version

    def _difference(self, path: Path, _came: Version, current: Version) -> Difference:
        return self._compare(path, self._shelf.whole(current.path))


def _taken_over(version: Version, same: Version) -> Version:
    """Return a known version as its data set has come again: sent by another, or to replace a lost file."""
    kept = replace(version, path=same.path, at=same.at)
    return replace(kept, state=same.state, reason=same.reason, correction=same.correction)


def _of_old_conflict(version: Version, versions: Sequence[Version], difference: _Differ) -> Settled:
    """What was set aside when one object was kept of each UID was replaced by the current one, or contradicts it."""
    state, reason = VersionState.HELD, "was set aside before versions were kept"
    current = next((one for one in versions if one.is_current), None)
    is_earlier = current is not None and version.at <= current.at and version.series == current.series
    if current is not None and is_earlier and difference(version, current) <= Difference.HEADER:
        state, reason = VersionState.SUPERSEDED, "superseded before versions were kept"
    return Settled((replace(version, state=state, reason=reason),))


def notes_of(settled: Settled) -> list[Note]:
    """Return what is to be said of versions that do not simply count."""
    return [
        Note(one.uid, f"version {one.id} is {say_state(one.state, one.reason)}")
        for one in settled.versions
        if one.reason
    ]
