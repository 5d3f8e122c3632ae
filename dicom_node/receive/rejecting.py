"""Rejection notes that come in: key object selections that take images back (IHE RAD TF-1, IOCM; PS3.16 CID 7011)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dicom_node.catalog import VersionState
from dicom_node.encoding.narrow import decode_few
from dicom_node.receive.contest import Contest, Settled
from dicom_node.receive.ledger import Ledger, Rejection
from dicom_node.receive.versions import Version

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"  # Key Object Selection Document Storage
_REJECTING = frozenset(("113001", "113037", "113038", "113039"))  # DCM: quality, safety, worklist entry, retention
_TAGS = (0x0040A043, 0x0040A375)  # Concept Name Code Sequence, Current Requested Procedure Evidence Sequence
_ELEMENTS_AT_MOST = 200_000  # of a note that names 50,000 images


@dataclass(frozen=True, slots=True)
class RejectionNote:
    """What a note says."""

    code: str  # DCM, of its title
    sop_instance_uids: Sequence[str]


def read_note(sop_class_uid: str, path: Path) -> RejectionNote | None:
    """Return what a rejection note says; None where an object is none, or cannot be read."""
    if sop_class_uid != KEY_OBJECTS:
        return None
    try:
        header = decode_few(str(path), _TAGS, _ELEMENTS_AT_MOST)
        title = header.ConceptNameCodeSequence[0]
        if title.CodingSchemeDesignator != "DCM" or title.CodeValue not in _REJECTING:
            return None
        studies = header.get("CurrentRequestedProcedureEvidenceSequence") or ()
        named = [
            item
            for study in studies
            for series in study.ReferencedSeriesSequence
            for item in series.ReferencedSOPSequence
        ]
        return RejectionNote(str(title.CodeValue), [str(item.ReferencedSOPInstanceUID) for item in named])
    except Exception:  # noqa: BLE001 - pydicom raises a dozen kinds on broken bytes; the object is kept all the same
        return None


class Rejecting:
    """Marks what notes name as rejected, where the sender of the note may correct it."""

    def __init__(self, ledger: Ledger, contest: Contest) -> None:
        self._ledger = ledger
        self._contest = contest

    def settle(
        self, note: Version, said: RejectionNote, versions: Callable[[str], Sequence[Version]], *, is_decided: bool
    ) -> tuple[Settled, bool]:
        """Return what a note changes, and whether all that it names could be rejected; the ledger has it then.

        Args:
            note: the version that came.
            said: what it says.
            versions: the known versions of a SOP Instance.
            is_decided: whether a person has decided that the note counts, whoever sent it.
        """
        changes, is_allowed = Settled(), True
        rejection = Rejection(said.code, self._contest.name(note), note.uid)
        for uid in said.sop_instance_uids:
            theirs = versions(uid)
            current = next((one for one in theirs if one.is_current), None)
            may = self._contest.corrects(note) or (current is not None and self._contest.may_correct(note, current))
            if not (may or is_decided):
                is_allowed = False
                continue
            settled = self._contest.reject(theirs, rejection)
            self._ledger.write(uid, settled.versions, self._ledger.read(uid).rejection or rejection)
            changes = replace(
                changes,
                versions=(*changes.versions, *settled.versions),
                displaced=(*changes.displaced, *settled.displaced),
            )
        return changes, is_allowed


def held_note(note: Version, by: str) -> Version:
    """Return a rejection note whose sender may not correct what it names."""
    return replace(note, state=VersionState.HELD, reason=f"a rejection note of {by}, who may not correct what it names")


def joined(parts: Sequence[Settled]) -> Settled:
    """Return several settlements as one."""
    return Settled(
        tuple(version for one in parts for version in one.versions),
        tuple(displaced for one in parts for displaced in one.displaced),
    )
