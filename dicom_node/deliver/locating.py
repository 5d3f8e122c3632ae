"""Where does a peer keep an object now? Asked by its SOP Instance UID alone: a PACS may have moved it (PS3.4 C.6.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydicom import Dataset, dcmread
from pynetdicom import build_context
from pynetdicom.association import Association

from dicom_node.config import Config, Peer
from dicom_node.deliver.calling import NoAssociationError, NothingAcceptedError, advancing, associate
from dicom_node.deliver.query import STUDY_ROOT_FIND

Where: TypeAlias = Literal["where it was sent", "elsewhere", "not found", "not said"]
"""Where an object is: under the study and the patient that its file names, under another, nowhere; or nobody knows."""

_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID")
_SUCCESS = 0x0000


@dataclass(frozen=True, slots=True)
class _Answer:
    """The matches of one query; `is_complete` where the peer ended it with success."""

    matches: Sequence[Dataset]
    is_complete: bool


def locate_objects(config: Config, peer: Peer, paths: Sequence[Path]) -> Mapping[Path, Where]:
    """Say of each file where the peer keeps its object; a peer that is spoken to by DICOMweb is not asked.

    Raises:
        NoAssociationError: there was no association to ask over.
    """
    if peer.url:
        return dict.fromkeys(paths, "not said")
    try:
        association = associate(config, peer, [build_context(STUDY_ROOT_FIND)])
    except NothingAcceptedError:  # it is there, and takes no queries
        return dict.fromkeys(paths, "not said")
    try:
        return {path: _locate(association, peer, path) for path in paths}
    finally:
        association.release()


def _locate(association: Association, peer: Peer, path: Path) -> Where:
    header = dcmread(path, stop_before_pixels=True, specific_tags=list(_KEYS))
    by_uid = _ask(association, peer, header, "", "")
    by_place = _ask(association, peer, header, str(header.StudyInstanceUID), str(header.SeriesInstanceUID))
    matches = [*by_uid.matches, *by_place.matches]
    if any(str(match.get("StudyInstanceUID", "")) not in ("", header.StudyInstanceUID) for match in matches):
        return "elsewhere"
    if not matches:
        return "not found" if by_uid.is_complete and by_place.is_complete else "not said"
    patients = {str(match.get("PatientID", "") or "").strip() for match in matches} - {""}
    if not patients:
        return "not said"
    return "where it was sent" if patients == {str(header.get("PatientID", "") or "").strip()} else "elsewhere"


def _ask(association: Association, peer: Peer, header: Dataset, study_uid: str, series_uid: str) -> _Answer:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID, identifier.SeriesInstanceUID = study_uid, series_uid
    identifier.SOPInstanceUID, identifier.PatientID = header.SOPInstanceUID, ""
    try:
        answers = list(advancing(association, peer, association.send_c_find(identifier, STUDY_ROOT_FIND)))
    except (ValueError, RuntimeError, NoAssociationError):  # no such context, or the association has ended
        return _Answer((), is_complete=False)
    matches = [match for _, match in answers if match is not None]
    ours = [match for match in matches if str(match.get("SOPInstanceUID", "")) == header.SOPInstanceUID]
    return _Answer(ours, bool(answers) and answers[-1][0].get("Status") == _SUCCESS)
