"""Query and retrieve at Study Root (PS3.4 C): what a peer holds of a study, and bringing it here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AllStoragePresentationContexts, build_context, build_role, evt
from pynetdicom.events import Event

from dicom_node.config import Config, Peer
from dicom_node.deliver.calling import Responses, advancing, associate
from dicom_node.errors import PeerError

_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_PENDING = (0xFF00, 0xFF01)
_WARNING = 0xB000  # sub-operations are complete, some failed (PS3.4 Table C.4-2)
_UNKNOWN_DESTINATION = 0xA801
_OUT_OF_RESOURCES = 0xA700
_CLASSES_AT_MOST = 120  # in one association, with room for the query's own context (PS3.8 9.3.2.2)
_RETURNED = ("StudyInstanceUID", "PatientID", "StudyDate", "ModalitiesInStudy", "NumberOfStudyRelatedInstances")


@dataclass(frozen=True, slots=True)
class StudyFound:
    """One study that a peer holds; `patient_id` tells patients apart and is never printed."""

    study_uid: str
    patient_id: str
    date: str
    modalities: tuple[str, ...]
    instances: int | None  # None where the peer does not say


@dataclass(frozen=True, slots=True)
class Progress:
    """Sub-operations of a retrieval so far."""

    done: int
    failed: int
    remaining: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.done + self.failed + self.remaining


Keep = Callable[[FileMetaDataset, bytes], None]
"""Keeps one object durably, told what it is and given its encoded data set, or raises OSError."""


def find_studies(config: Config, peer: Peer, keys: Mapping[str, str]) -> list[StudyFound]:
    """Return the studies at a peer that match keys (keyword -> value, with the standard's wildcards and ranges).

    Raises:
        PeerError: the peer could not be asked, or would not answer.
    """
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword in _RETURNED:
        setattr(identifier, keyword, "")
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    association = associate(config, peer, [build_context(_FIND)])
    try:
        answers = list(advancing(association, peer, association.send_c_find(identifier, _FIND)))
    finally:
        association.release()
    _check(peer, answers[-1][0] if answers else Dataset(), "the query")
    return [_study(match) for _, match in answers if match is not None]


def move_study(config: Config, peer: Peer, study_uid: str) -> Iterator[Progress]:
    """Let a peer send a study to our own AE title (C-MOVE), and yield how far it is.

    Raises:
        PeerError: it would not, or not all of it.
    """
    association = associate(config, peer, [build_context(_MOVE)])
    try:
        responses = association.send_c_move(_wanted(study_uid), config.node.ae_title, _MOVE)
        yield from _followed(peer, advancing(association, peer, responses))
    finally:
        association.release()


def get_study(config: Config, peer: Peer, study_uid: str, keep: Keep) -> Iterator[Progress]:
    """Fetch a study over an association of ours (C-GET), for a peer that cannot call us; yield how far it is.

    Args:
        config: who we are.
        peer: who has it.
        study_uid: Study Instance UID.
        keep: is given each object, and returns once it is safe.

    Raises:
        PeerError: it would not, or not all of it.
    """
    classes = [str(one.abstract_syntax) for one in AllStoragePresentationContexts][:_CLASSES_AT_MOST]
    contexts = [build_context(_GET), *(build_context(one, list(AllTransferSyntaxes)) for one in classes)]
    roles = [build_role(one, scp_role=True) for one in classes]
    association = associate(config, peer, contexts, [(evt.EVT_C_STORE, _store, [keep])], roles)
    try:
        responses = association.send_c_get(_wanted(study_uid), _GET)
        yield from _followed(peer, advancing(association, peer, responses))
    finally:
        association.release()


def _store(event: Event, keep: Keep) -> int:
    try:
        keep(event.file_meta, event.encoded_dataset(include_meta=False))
    except OSError:
        return _OUT_OF_RESOURCES
    return 0x0000


def _wanted(study_uid: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study_uid
    return identifier


def _followed(peer: Peer, responses: Responses) -> Iterator[Progress]:
    status = Dataset()
    for status, _ in responses:
        yield Progress(
            int(status.get("NumberOfCompletedSuboperations") or 0)
            + int(status.get("NumberOfWarningSuboperations") or 0),
            int(status.get("NumberOfFailedSuboperations") or 0),
            int(status.get("NumberOfRemainingSuboperations") or 0),
        )
    _check(peer, status, "the retrieval")


def _check(peer: Peer, status: Dataset, what: str) -> None:
    code = status.get("Status")
    if code == 0x0000:
        return
    if code is None:
        raise PeerError(f"{peer.ae_title} hung up on {what}: it may not let our AE title ask")
    if code == _UNKNOWN_DESTINATION:
        raise PeerError(f"{peer.ae_title} does not know where to send to: enter our AE title and address there")
    if code == _WARNING:
        raise PeerError(f"{peer.ae_title} could not send {status.get('NumberOfFailedSuboperations', 'some')} objects")
    raise PeerError(f"{peer.ae_title} ended {what} with status 0x{code:04X}")


def _study(match: Dataset) -> StudyFound:
    modalities = match.get("ModalitiesInStudy") or ()
    count = match.get("NumberOfStudyRelatedInstances")
    return StudyFound(
        study_uid=str(match.get("StudyInstanceUID", "")),
        patient_id=str(match.get("PatientID", "") or ""),
        date=str(match.get("StudyDate", "") or ""),
        modalities=(modalities,) if isinstance(modalities, str) else tuple(map(str, modalities)),
        instances=int(count) if str(count or "").isdigit() else None,
    )
