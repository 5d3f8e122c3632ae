"""Where does a peer keep an object now? Asked by SOP Instance UID alone: a PACS may have moved it.

C-FIND (PS3.4 C.6.2) and QIDO-RS (PS3.18 10.6) are asked the same two questions: anywhere, and where it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from pydicom import Dataset, dcmread
from pynetdicom import build_context
from pynetdicom.association import Association

from dicom_node.config import Config, Peer
from dicom_node.deliver.calling import NoAssociationError, NothingAcceptedError, advancing, associate
from dicom_node.deliver.query import STUDY_ROOT_FIND, Found
from dicom_node.deliver.web import InstanceSearch

Where: TypeAlias = Literal["where it was sent", "elsewhere", "not found", "not said"]
"""Where an object is: under the study and the patient that its file names, under another, nowhere; or nobody knows."""

_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID")
_SUCCESS = 0x0000


class _Search(Protocol):
    """Finds an instance at one peer: in a series where study and series are given, anywhere where they are ""."""

    def __call__(self, sop_instance_uid: str, study_uid: str, series_uid: str, /) -> Found:
        """Return what the peer has found, with its study and patient."""


def locate_objects(config: Config, peer: Peer, paths: Sequence[Path]) -> Mapping[Path, Where]:
    """Say of each file where the peer keeps its object.

    Raises:
        NoAssociationError: there was nobody to ask.
    """
    if peer.url:
        search = InstanceSearch(config, peer)
        return {path: _locate(search, path) for path in paths}
    try:
        association = associate(config, peer, [build_context(STUDY_ROOT_FIND)])
    except NothingAcceptedError:  # it is there, and takes no queries
        return dict.fromkeys(paths, "not said")
    try:
        return {path: _locate(_by_c_find(association, peer), path) for path in paths}
    finally:
        association.release()


def _locate(search: _Search, path: Path) -> Where:
    header = dcmread(path, stop_before_pixels=True, specific_tags=list(_KEYS))
    uid = str(header.SOPInstanceUID)
    by_uid = search(uid, "", "")
    by_place = search(uid, str(header.StudyInstanceUID), str(header.SeriesInstanceUID))
    matches = [*by_uid.matches, *by_place.matches]
    if any(str(match.get("StudyInstanceUID", "")) not in ("", header.StudyInstanceUID) for match in matches):
        return "elsewhere"
    if not matches:
        return "not found" if by_uid.is_complete and by_place.is_complete else "not said"
    patients = {str(match.get("PatientID", "") or "").strip() for match in matches} - {""}
    if not patients:
        return "not said"
    return "where it was sent" if patients == {str(header.get("PatientID", "") or "").strip()} else "elsewhere"


def _by_c_find(association: Association, peer: Peer) -> _Search:
    def search(sop_instance_uid: str, study_uid: str, series_uid: str, /) -> Found:
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "IMAGE"
        identifier.StudyInstanceUID, identifier.SeriesInstanceUID = study_uid, series_uid
        identifier.SOPInstanceUID, identifier.PatientID = sop_instance_uid, ""
        try:
            answers = list(advancing(association, peer, association.send_c_find(identifier, STUDY_ROOT_FIND)))
        except (ValueError, RuntimeError, NoAssociationError):  # no such context, or the association has ended
            return Found((), is_complete=False)
        matches = [match for _, match in answers if match is not None]
        is_complete = bool(answers) and answers[-1][0].get("Status") == _SUCCESS
        return Found([match for match in matches if match.get("SOPInstanceUID") == sop_instance_uid], is_complete)

    return search
