"""What was decided about contested SOP Instances, durable beside the objects: versions/<SOP Instance UID>.json.

A SOP Instance of which one version came, and that no rejection note names, has no such file: its version is current.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dicom_node.catalog import VersionState
from dicom_node.receive.records import named_where_damaged, write_record
from dicom_node.receive.versions import Version

_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one version counts for, and why."""

    state: VersionState
    reason: str
    correction: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejection note that names a SOP Instance (IHE RAD TF-1, Imaging Object Change Management)."""

    code: str  # DCM, of the note's title
    caller: str  # that sent the note
    note_uid: str


@dataclass(frozen=True, slots=True)
class Contested:
    """What was decided about one SOP Instance."""

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)  # by the version's path below the storage folder
    rejection: Rejection | None = None


class Ledger:
    """The folder of decisions; the registrar alone writes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._uids = {path.stem for path in folder.glob(f"*{_SUFFIX}")}

    def __contains__(self, sop_instance_uid: str) -> bool:
        return sop_instance_uid in self._uids

    def read(self, sop_instance_uid: str) -> Contested:
        """Return what was decided; nothing about a SOP Instance that is not contested.

        Raises:
            OSError: the disk would not let us, or the record is damaged.
        """
        path = self._folder / f"{sop_instance_uid}{_SUFFIX}"
        if sop_instance_uid not in self or not path.exists():  # a person may have moved a damaged one away
            return Contested()
        with named_where_damaged(path):
            return _contested(json.loads(path.read_bytes()))

    def write(self, sop_instance_uid: str, versions: Sequence[Version], rejection: Rejection | None) -> None:
        """Write down durably what versions of a SOP Instance count for; what was written of others stays.

        Raises:
            OSError: it is not kept.
        """
        verdicts = dict(self.read(sop_instance_uid).verdicts)
        verdicts |= {one.path: Verdict(one.state, one.reason, one.correction) for one in versions}
        write_record(self._folder / f"{sop_instance_uid}{_SUFFIX}", asdict(Contested(verdicts, rejection)))
        self._uids.add(sop_instance_uid)


def _contested(said: Any) -> Contested:
    verdicts = {
        path: Verdict(VersionState(verdict["state"]), verdict["reason"], verdict["correction"])
        for path, verdict in said["verdicts"].items()
    }
    return Contested(verdicts, Rejection(**said["rejection"]) if said["rejection"] else None)
