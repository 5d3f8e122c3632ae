"""Which version of a SOP Instance counts when several come: the rules, apart from files and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dicom_node.callers import Callers
from dicom_node.catalog import VersionState
from dicom_node.receive.difference import Difference
from dicom_node.receive.ledger import Contested, Rejection, Verdict
from dicom_node.receive.versions import Displaced, Version

_CURRENT, _SUPERSEDED = VersionState.CURRENT, VersionState.SUPERSEDED
_HELD, _REJECTED = VersionState.HELD, VersionState.REJECTED
_DIFFERS = {
    Difference.ENCODING: "the same in another encoding",
    Difference.HEADER: "the same pixels under another header",
    Difference.GEOMETRY: "the same pixels with another geometry",
    Difference.PIXELS: "other pixels",
    Difference.UNKNOWN: "what could not be compared within the limits of memory and time, twice",
}
_IMAGES_ONLY = "113039"  # DCM, Data Retention Policy Expired: what was made of the images stays


@dataclass(frozen=True, slots=True)
class Settled:
    """What a version that came, a note or a person changed: versions with new states, and what no longer counts."""

    versions: tuple[Version, ...] = ()
    displaced: tuple[Displaced, ...] = ()


class Contest:
    """The rules for one configuration's callers."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def settle(
        self, found: Version, versions: Sequence[Version], difference: Callable[[Version, Version], Difference]
    ) -> Settled:
        """Settle what a version counts for that is not among those known of its SOP Instance."""
        current = _current(versions)
        if current is None:
            return Settled((self._without_current(found, versions),))
        if current.is_damaged:
            return self._instead_of_damaged(found, current)
        how = difference(found, current)
        if self._is_corrected_already(found, current, how):
            why = f"superseded: {self.name(current)} sent {_DIFFERS[how]}"
            return Settled((replace(found, state=_SUPERSEDED, reason=why, correction=current.correction),))
        return self._compare(found, current, how)

    def _compare(self, found: Version, current: Version, how: Difference) -> Settled:
        """Settle which of two versions counts, by what differs and who sent it."""
        state_of_other, why = self._outcome(found, current, how)
        if state_of_other is None:
            state = _SUPERSEDED if how == Difference.ENCODING else _HELD
            return Settled((replace(found, state=state, reason=why, correction=current.correction),))
        is_other = how > Difference.HEADER or _whose(found) != _whose(current) or state_of_other == _HELD
        new = replace(found, state=_CURRENT, reason="", correction=current.correction + is_other)
        old = replace(current, state=state_of_other, reason=why)
        displaced = (Displaced(current, _moved(new, current, how, self.name(found))),) if is_other else ()
        return Settled((old, new), displaced)

    def settle_damaged(self, found: Version, versions: Sequence[Version]) -> Settled:
        """Settle what an object that cannot be read any more counts for, where others are known of its SOP Instance."""
        settled = self._without_current(found, versions)
        return Settled((replace(settled, state=_HELD) if _current(versions) else settled,))

    def settle_again(
        self,
        found: Version,
        known: Version,
        versions: Sequence[Version],
        difference: Callable[[Version, Version], Difference],
    ) -> Settled:
        """Settle what it means that a version comes again that does not count; a caller who corrects may mean it."""
        if known.state == _REJECTED or not self.corrects(found):
            return Settled()
        others = [one for one in versions if one.path != known.path]
        current, again = _current(others), replace(found, path=known.path, at=known.at)
        if current is None:
            settled = Settled((self._without_current(again, others),))
        else:
            settled = self._compare(again, current, difference(again, current))
        is_through = any(one.is_current and one.path == known.path for one in settled.versions)
        return settled if is_through else Settled()

    def keep(self, kept: Version, versions: Sequence[Version]) -> Settled:
        """Settle a conflict as a person wants it: the kept version counts, no other that came under its UID does."""
        current = _current(versions)
        is_news = current is None or current.path != kept.path
        correction = max(one.correction for one in versions) + 1 if is_news and current else kept.correction
        why = f"a person has kept version {kept.id}"
        others = [
            replace(one, state=_SUPERSEDED, reason=why)
            for one in versions
            if one.path != kept.path and one.state in (_HELD, _CURRENT)
        ]
        why = f"replaced by version {kept.id}, which a person has kept"
        displaced = (Displaced(current, why),) if current is not None and is_news else ()
        return Settled((*others, replace(kept, state=_CURRENT, reason="", correction=correction)), displaced)

    def reject(self, versions: Sequence[Version], rejection: Rejection) -> Settled:
        """Settle what a rejection note means for the versions of a SOP Instance that it names."""
        why = f"rejected (DCM {rejection.code}) by {rejection.caller}"
        current = _current(versions)
        changed = [replace(one, state=_REJECTED, reason=why) for one in versions if one.state in (_CURRENT, _HELD)]
        displaced = Displaced(current, why, rejection.code != _IMAGES_ONLY) if current else None
        return Settled(tuple(changed), (displaced,) if displaced else ())

    def _is_corrected_already(self, found: Version, current: Version, how: Difference) -> bool:
        """Say whether a version was received before its correction, though the registrar takes it after that."""
        is_correction = how in (Difference.HEADER, Difference.GEOMETRY)
        return is_correction and found.at < current.at and self.may_correct(current, found)

    def may_correct(self, sender: Version, current: Version) -> bool:
        """Say whether who sent a version may correct the current one; an AE title alone proves nothing."""
        shown = (sender.address, current.address), (sender.certificate, current.certificate)
        is_same = sender.caller == current.caller and any(one and one == other for one, other in shown)
        return is_same or self.corrects(sender)

    def corrects(self, sender: Version) -> bool:
        """Say whether who sent a version may correct what others have sent."""
        name = self._named(sender)
        return name is not None and self._callers[name].corrects

    def is_named(self, sender: Version) -> bool:
        """Say whether the configuration names who sent a version."""
        return self._named(sender) is not None

    def name(self, sender: Version) -> str:
        """Return what the sender of a version is called."""
        return self._named(sender) or sender.caller or "an unknown caller"

    def _named(self, sender: Version) -> str | None:
        return self._callers.name_of(sender.caller, sender.address, sender.certificate)

    def _without_current(self, found: Version, versions: Sequence[Version]) -> Version:
        """A SOP Instance of which nothing counts: the first version does, unless others wait for a person."""
        if any(one.state == _HELD for one in versions):
            return replace(found, state=_HELD, reason="other versions of it wait for a person")
        return replace(found, correction=max((one.correction + 1 for one in versions), default=0))

    def _instead_of_damaged(self, found: Version, damaged: Version) -> Settled:
        """The place of an object that cannot be read is open to whoever sends it again; nothing was made of it."""
        why = f"superseded: it {damaged.reason}, and {self.name(found)} sent the object again"
        old = replace(damaged, state=_SUPERSEDED, reason=why)
        new = replace(found, state=_CURRENT, reason="", correction=damaged.correction)
        return Settled((old, new), (Displaced(damaged, why, recalls=False),))

    def _outcome(self, found: Version, current: Version, how: Difference) -> tuple[VersionState | None, str]:
        """Return what the current version becomes, None where it stays; and why, or why the other does not count."""
        by, of = self.name(found), self.name(current)
        if how in (Difference.HEADER, Difference.GEOMETRY) and self.may_correct(found, current):
            return _SUPERSEDED, f"{by} sent {_DIFFERS[how]} in its place"
        if self.is_named(found) and not self.is_named(current):
            if how == Difference.ENCODING:
                return _SUPERSEDED, f"{by} sent {_DIFFERS[how]} in its place"
            return _HELD, f"came from {of}, whom [callers] does not name; displaced by what {by} sent: {_DIFFERS[how]}"
        if how == Difference.ENCODING:
            if current.is_removed:
                return _SUPERSEDED, f"removed for age or space; then {by} sent {_DIFFERS[how]}"
            return None, f"{by} sent {_DIFFERS[how]} as version {current.id}, which is current"
        may = "" if how >= Difference.PIXELS else f"; {by} may not correct it"
        return None, f"{by} sent {_DIFFERS[how]}; version {current.id} of {of} is current{may}"


def judged(version: Version, verdict: Verdict) -> Version:
    """Return a version as the ledger has decided of it."""
    return replace(version, state=verdict.state, reason=verdict.reason, correction=verdict.correction)


def settle_as_written(found: Version, versions: Sequence[Version], contested: Contested) -> Settled:
    """Settle versions as the ledger says, after a crash or without a catalog."""
    changed, displaced = [], []
    verdicts = contested.verdicts
    for one in (*versions, found):
        verdict = verdicts.get(one.path)
        if verdict is None:
            continue
        new = judged(one, verdict)
        if one is found or new != one:
            changed.append(new)
        if one is not found and one.is_current and not new.is_current:
            displaced.append(one)
    current = _current(changed)
    is_other = current is None or any(current.correction != one.correction for one in displaced)
    why = [Displaced(one, _by_ledger(one, current, verdicts[one.path].reason)) for one in displaced if is_other]
    return Settled(tuple(changed), tuple(why))


def _by_ledger(old: Version, current: Version | None, reason: str) -> str:
    if current is None:
        return reason
    return _moved(current, old, Difference.GEOMETRY, current.caller or "an unknown caller")


def _current(versions: Sequence[Version]) -> Version | None:
    return next((one for one in versions if one.is_current), None)


def _whose(version: Version) -> tuple[str, str, str]:
    return version.study_uid, version.series_uid, version.patient


def _moved(new: Version, old: Version, how: Difference, by: str) -> str:
    """Say what happened to an image, for the stack that was made of it."""
    if new.study_uid != old.study_uid:
        return f"moved to study {new.study_uid} by {by}"
    if new.series_uid != old.series_uid:
        return f"moved to series {new.series_uid} by {by}"
    if new.patient != old.patient:
        return f"moved to another patient by {by}"
    return f"replaced by {_DIFFERS[how]} that {by} sent"
