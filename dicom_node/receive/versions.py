"""Versions of SOP Instances: data sets that were acknowledged, as catalog rows say them and as files say them."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_node.catalog import Instance, VersionState
from dicom_node.receive.shelf import Found


@dataclass(frozen=True, slots=True)
class Version:
    """One data set under a SOP Instance UID; its fields are the columns of `catalog.Instance`."""

    sha256: str
    data_set_at: int
    uid: str
    study_uid: str
    series_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    patient: str
    path: str
    size: int
    caller: str
    address: str
    certificate: str
    at: float
    state: VersionState = VersionState.CURRENT
    reason: str = ""
    correction: int = 0
    removed_at: float = 0.0

    def columns(self) -> dict[str, object]:
        """Return the values of a row, by column."""
        return {name: getattr(self, name) for name in _COLUMNS}

    @property
    def series(self) -> tuple[str, str]:
        """Study and Series Instance UID, which together name a series."""
        return self.study_uid, self.series_uid

    @property
    def is_current(self) -> bool:
        """Whether this version counts."""
        return self.state == VersionState.CURRENT

    @property
    def is_damaged(self) -> bool:
        """Whether the version counts and cannot be read: its series is refused until its object comes again."""
        return self.is_current and bool(self.reason)

    @property
    def is_removed(self) -> bool:
        """Whether its file was removed for age or space; what it counts for stays."""
        return self.removed_at > 0

    @property
    def id(self) -> str:
        """What a person calls the version by: the first digits of its hash, as in its file's name."""
        return self.sha256[:12]


@dataclass(frozen=True, slots=True)
class Displaced:
    """A version that no longer counts, so that nothing made of it may be sent any more."""

    version: Version
    why: str  # for a person, e.g. "moved to study 1.2.3 by PACS"
    recalls: bool = True  # whether results that have left are to be withdrawn


_COLUMNS = tuple(Version.__slots__)


def of_file(found: Found, path: str) -> Version:
    """Return a file's object as a version that is to stand at a path below the storage folder."""
    identity, header = found.header.identity, found.header
    return Version(
        sha256=found.sha256,
        data_set_at=header.data_set_at,
        uid=identity.sop_instance_uid,
        study_uid=identity.study_uid,
        series_uid=identity.series_uid,
        sop_class_uid=identity.sop_class_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        patient=header.patient,
        path=path,
        size=found.size,
        caller=header.caller,
        address=header.address,
        certificate=header.certificate,
        at=found.at,
        reason=f"cannot be read: {found.problem}" if found.problem else "",
    )


def of_row(row: Instance) -> Version:
    """Return a row as a version."""
    return Version(**{name: getattr(row, name) for name in _COLUMNS})


def say_state(state: VersionState, reason: str) -> str:
    """Return what a version counts for and why, for people: a reason that begins with the state says it already."""
    return reason if reason.startswith(str(state)) else f"{state}: {reason}"
