"""Does a peer hold an object? C-FIND at IMAGE level by its SOP Instance UID, never by counts (PS3.4 C.6.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pynetdicom import build_context
from pynetdicom.association import Association

from dicom_node.config import Config, Peer
from dicom_node.deliver.calling import NoAssociationError, NothingAcceptedError, advancing, associate

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_KEYS = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
_PENDING = 0xFF00, 0xFF01


@dataclass(frozen=True, slots=True)
class Found:
    """The matches of one query; `is_complete` where the peer has answered all of it."""

    matches: Sequence[Dataset]
    is_complete: bool


def find_objects(config: Config, peer: Peer, paths: Sequence[Path]) -> Mapping[Path, bool | None]:
    """Say of each file whether the peer holds its object; None where it gave no answer, or takes no queries at all.

    Raises:
        NoAssociationError: there was no association to ask over.
    """
    try:
        association = associate(config, peer, [build_context(STUDY_ROOT_FIND)])
    except NothingAcceptedError:  # it is there all the same: nothing else is to wait for it
        return dict.fromkeys(paths)
    try:
        return {path: is_found(association, peer, path) for path in paths}
    finally:
        association.release()


def count_series(config: Config, peer: Peer, study_uid: str, series_uid: str) -> int:
    """Return how many instances a peer says that a series has, 0 where it does not say.

    Raises:
        NoAssociationError: there was no association to ask over, or no end of the answer.
    """
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "SERIES"
    identifier.StudyInstanceUID, identifier.SeriesInstanceUID = study_uid, series_uid
    identifier.NumberOfSeriesRelatedInstances = None
    association = associate(config, peer, [build_context(STUDY_ROOT_FIND)])
    try:
        responses = advancing(association, peer, association.send_c_find(identifier, STUDY_ROOT_FIND))
        matches = [match for _, match in responses if match and match.get("SeriesInstanceUID") == series_uid]
    finally:
        association.release()
    counts = (
        one.get("NumberOfSeriesRelatedInstances") for one in matches if one.get("SeriesInstanceUID") == series_uid
    )
    return max((int(count or 0) for count in counts), default=0)


def read_keys(path: Path) -> Dataset | None:
    """Return the UIDs by which a file's object is found; None where the file is gone, or is not whole."""
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=_KEYS)
    except (OSError, InvalidDicomError):
        return None
    keys = Dataset()
    keys.update(header)
    return keys if all(keyword in keys for keyword in _KEYS) else None


def is_found(association: Association, peer: Peer, path: Path) -> bool | None:
    """Ask for one file's object over an association; None when the peer does not answer, or the file does not say.

    Asked for in its series, which every peer answers, then anywhere: the peer may have moved it along with its images.
    """
    identifier = read_keys(path)
    if identifier is None:
        return None
    identifier.QueryRetrieveLevel = "IMAGE"
    is_there = _is_answered(association, peer, identifier)
    if is_there is not False:
        return is_there
    identifier.StudyInstanceUID = identifier.SeriesInstanceUID = ""
    return bool(_is_answered(association, peer, identifier))


def _is_answered(association: Association, peer: Peer, identifier: Dataset) -> bool | None:
    wanted = identifier.SOPInstanceUID
    try:
        answers = list(advancing(association, peer, association.send_c_find(identifier, STUDY_ROOT_FIND)))
    except (ValueError, RuntimeError, NoAssociationError):  # no such context, or the association has ended
        return None
    if any(match is not None and match.get("SOPInstanceUID") == wanted for _, match in answers):
        return True
    final = answers[-1][0].get("Status") if answers else None
    return False if final == 0x0000 or final in _PENDING else None
