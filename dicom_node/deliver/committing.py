"""Storage Commitment Push Model on associations of ours (PS3.4 J): what peers keep of us, and we of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from dicom_node.config import Config, Peer
from dicom_node.deliver.calling import NoAssociationError, NothingAcceptedError, associate
from dicom_node.uids import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE

_REQUEST = 1  # Action Type ID (PS3.4 Table J.3-1)
_ALL_KEPT, _FAILURES_EXIST = 1, 2  # Event Type ID (PS3.4 Table J.3-2)
_LOOK_S = 0.05
_SUCCESS = 0x0000
_PASSING = 0x0110, 0x0213  # processing failure, resource limitation (PS3.7 C)


@dataclass(frozen=True, slots=True)
class Reference:
    """One object that the peer is to commit itself to."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """What a peer is asked, under a Transaction UID by which its answers will be known."""

    transaction_uid: str
    references: Sequence[Reference]


class NoCommitmentError(NoAssociationError):
    """The peer does not offer storage commitment, or refuses the request; asking again as before will not help."""


def ask_commitment(
    config: Config,
    peer: Peer,
    request: CommitmentRequest,
    heard: Callable[[Dataset], None],
    may_go: Callable[[], bool],
) -> None:
    """Send an N-ACTION, and keep the association open for an answer on it.

    Args:
        config: who we are.
        peer: the storage commitment SCP.
        request: the objects.
        heard: told of each N-EVENT-REPORT's Event Information that comes on this association.
        may_go: asked again and again whether the association may be released; a later answer comes on an association
            that the peer opens.

    Raises:
        NoAssociationError: there was no association, or no response in time.
        NoCommitmentError: the peer has no storage commitment, or refused the request.
    """

    def on_report(event: Event) -> tuple[int, None]:
        heard(event.event_information)
        return _SUCCESS, None

    try:
        association = associate(
            config, peer, [build_context(STORAGE_COMMITMENT)], [(evt.EVT_N_EVENT_REPORT, on_report)]
        )
    except NothingAcceptedError as error:
        raise NoCommitmentError(peer, "offers no storage commitment") from error
    try:
        _request(association, peer, request)
        while association.is_established and not may_go():
            time.sleep(_LOOK_S)
    finally:
        association.release()


def report_commitment(config: Config, peer: Peer, request: CommitmentRequest, failures: Mapping[str, int]) -> None:
    """Answer a peer's request: send an N-EVENT-REPORT, as the SCP of an association that we open (PS3.4 J.3.3).

    Args:
        config: who we are.
        peer: who has asked.
        request: the transaction and all objects that it names.
        failures: SOP Instance UID -> FailureReason (PS3.3 C.14.1.1) of those that we do not keep.

    Raises:
        NoAssociationError: the report could not be delivered.
    """
    report = Dataset()
    report.TransactionUID = request.transaction_uid
    report.ReferencedSOPSequence = [_item(one) for one in request.references if one.sop_instance_uid not in failures]
    failed = [one for one in request.references if one.sop_instance_uid in failures]
    if failed:
        report.FailedSOPSequence = [_item(one) for one in failed]
        for item in report.FailedSOPSequence:
            item.FailureReason = failures[item.ReferencedSOPInstanceUID]
    context, role = build_context(STORAGE_COMMITMENT), build_role(STORAGE_COMMITMENT, scp_role=True)
    association = associate(config, peer, [context], roles=[role])
    try:
        event = _FAILURES_EXIST if failed else _ALL_KEPT
        response, _ = association.send_n_event_report(report, event, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE)
    except ValueError as error:  # the context was accepted, our role was not
        raise NoAssociationError(peer, "does not let us report to it") from error
    finally:
        association.release()
    if response.get("Status") != _SUCCESS:
        raise NoAssociationError(peer, "did not take our storage commitment report")


def _request(association: Association, peer: Peer, request: CommitmentRequest) -> None:
    wanted = Dataset()
    wanted.TransactionUID = request.transaction_uid
    wanted.ReferencedSOPSequence = [_item(one) for one in request.references]
    response, _ = association.send_n_action(wanted, _REQUEST, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE)
    if "Status" not in response:
        raise NoAssociationError(peer, "gave no answer to a request for storage commitment")
    if response.Status in _PASSING:
        raise NoAssociationError(peer, f"cannot take a request for storage commitment now (0x{response.Status:04X})")
    if response.Status != _SUCCESS:
        raise NoCommitmentError(peer, f"refuses a request for storage commitment (0x{response.Status:04X})")


def _item(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item
