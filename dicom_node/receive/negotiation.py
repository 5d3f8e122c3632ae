"""Association requests: who may call, and what is agreed with whom (PS3.8 7.1, 9.3.2 to 9.3.4; PS3.7 D)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable

from pydicom.uid import UID, AllTransferSyntaxes, ExplicitVRLittleEndian
from pynetdicom import AllStoragePresentationContexts, _config
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, build_context, negotiate_as_acceptor

from dicom_node.config import Node
from dicom_node.receive.association import INVALID_PARAMETER, MAXIMUM_PDU, AbortError, Agreed
from dicom_node.receive.proposal import TITLES, reduce_request
from dicom_node.receive.services import Caller, Context
from dicom_node.retired import RETIRED_STORAGE
from dicom_node.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_NAME

_VERIFICATION = "1.2.840.10008.1.1"  # PS3.4 A.4
_DICOM_APPLICATION = "1.2.840.10008.3.1.1.1"  # PS3.7 A.2.1
_ACCEPTED = 0x00  # PS3.8 Table 9-18

_RETIRED_JPEG = [UID(f"1.2.840.10008.1.2.4.{number}") for number in range(52, 67)]  # old archives still send them
# The acceptor's order decides where one context offers several (PS3.8 7.1.1.13): the one that loses nothing first.
_TRANSFER_SYNTAXES: list[str | UID] = list(
    dict.fromkeys([ExplicitVRLittleEndian, *AllTransferSyntaxes, *_RETIRED_JPEG])
)

# Result, source and reason of A-ASSOCIATE-RJ (PS3.8 Table 9-21)
_NO_DICOM, _UNKNOWN_CALLER, _NOT_OUR_NAME = (1, 1, 2), (1, 1, 3), (1, 1, 7)
CONGESTED, NO_ASSOCIATION_LEFT = (2, 3, 1), (2, 3, 2)


class RejectedError(Exception):
    """The request is to be answered with A-ASSOCIATE-RJ."""

    def __init__(self, why: tuple[int, int, int], calling: str, called: str, detail: str = "") -> None:
        pdu = A_ASSOCIATE_RJ()
        pdu.result, pdu.source, pdu.reason_diagnostic = why
        super().__init__(": ".join(filter(None, (pdu.result_str, pdu.reason_str, detail))))
        self.calling, self.called = calling, called
        self.answer = pdu.encode()


class Negotiation:
    """What this node agrees to; `supported` has each SOP class with the transfer syntaxes that it is taken in."""

    def __init__(self, node: Node, further: Iterable[PresentationContext] = ()) -> None:
        _quieten_pynetdicom()
        self._node = node
        known = [str(context.abstract_syntax) for context in AllStoragePresentationContexts]
        storage = [
            build_context(uid, _TRANSFER_SYNTAXES) for uid in (*known, *RETIRED_STORAGE, *node.extra_sop_classes)
        ]
        self.supported = [build_context(_VERIFICATION), *storage, *further]

    def answer(self, pdu: bytes, address: str, certificate: str) -> tuple[Agreed, bytes]:
        """Return what is agreed with the sender of an A-ASSOCIATE-RQ PDU, and the A-ASSOCIATE-AC PDU that says so.

        Raises:
            RejectedError: its caller is not to be served.
            AbortError: it is no such PDU.
        """
        request = _decoded(pdu)
        self._admit(request)
        results, roles = negotiate_as_acceptor(
            request.presentation_context_definition_list, self.supported, _asked_roles(request)
        )
        titles = request.calling_ae_title, request.called_ae_title
        caller = Caller(*titles, address, certificate, secrets.token_hex(8))
        agreed = Agreed(caller, _accepted(results), request.maximum_length_received or 0)
        answer = bytearray(_accept(request, results, roles))
        answer[TITLES] = pdu[TITLES]  # as they were sent (PS3.8 Table 9-17)
        return agreed, bytes(answer)

    def _admit(self, request: A_ASSOCIATE) -> None:
        calling, called = request.calling_ae_title, request.called_ae_title
        if request.application_context_name != _DICOM_APPLICATION:
            raise RejectedError(_NO_DICOM, calling, called)
        if called != self._node.ae_title.strip():
            raise RejectedError(_NOT_OUR_NAME, calling, called)
        accepted = [title.strip() for title in self._node.accepted_callers]
        if "*" not in accepted and calling not in accepted:
            raise RejectedError(_UNKNOWN_CALLER, calling, called)


def _decoded(pdu: bytes) -> A_ASSOCIATE:
    reduced = reduce_request(pdu)
    try:
        decoded = A_ASSOCIATE_RQ()
        decoded.decode(reduced)
        request = decoded.to_primitive()
    except Exception as error:  # pynetdicom raises a dozen kinds on broken bytes
        problem = f"an item of the A-ASSOCIATE-RQ cannot be decoded ({type(error).__name__})"
        raise AbortError(INVALID_PARAMETER, problem) from error
    if not all(one.abstract_syntax and one.transfer_syntax for one in request.presentation_context_definition_list):
        raise AbortError(INVALID_PARAMETER, "a presentation context without a syntax (PS3.8 9.3.2.2)")
    return request


def _asked_roles(request: A_ASSOCIATE) -> dict[UID, tuple[bool | None, bool | None]]:
    items = [item for item in request.user_information if isinstance(item, SCP_SCU_RoleSelectionNegotiation)]
    return {UID(str(item.sop_class_uid)): (bool(item.scu_role), bool(item.scp_role)) for item in items}


def _accepted(results: Iterable[PresentationContext]) -> dict[int, Context]:
    return {
        int(one.context_id or 0): Context(
            int(one.context_id or 0), str(one.abstract_syntax), str(one.transfer_syntax[0])
        )
        for one in results
        if one.result == _ACCEPTED
    }


def _accept(
    request: A_ASSOCIATE, results: list[PresentationContext], roles: Iterable[SCP_SCU_RoleSelectionNegotiation]
) -> bytes:
    answer = A_ASSOCIATE()
    answer.application_context_name = UID(_DICOM_APPLICATION)
    answer.calling_ae_title, answer.called_ae_title = request.calling_ae_title, request.called_ae_title
    answer.result, answer.result_source = 0x00, 0x01  # PS3.8 7.1.1.7
    answer.presentation_context_definition_results_list = results
    maximum = MaximumLengthNotification()
    maximum.maximum_length_received = MAXIMUM_PDU
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_NAME
    answer.user_information = [maximum, implementation, version, *roles, *_windows(request)]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(answer)
    return pdu.encode()


def _windows(request: A_ASSOCIATE) -> list[AsynchronousOperationsWindowNegotiation]:
    """Let a requestor send ahead as far as it asks to; it is asked for nothing itself (PS3.7 D.3.3.3)."""
    asked = [item for item in request.user_information if isinstance(item, AsynchronousOperationsWindowNegotiation)]
    for item in asked:
        item.maximum_number_operations_performed = 1
    return asked


def _quieten_pynetdicom() -> None:
    """Keep pynetdicom from logging what it receives: its lines may hold a name, and a peer could fill the log."""
    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
