"""One C-STORE request: its data set kept as it comes, judged by its UIDs, answered (PS3.4 B.2.3; PS3.7 9.1.1)."""

from __future__ import annotations

import logging
from collections import Counter

from dicom_node.encoding import ExcessError
from dicom_node.errors import EncodingError, ObjectError
from dicom_node.receive import command as dimse
from dicom_node.receive.file_head import file_head
from dicom_node.receive.header import peek_identity, read_identity
from dicom_node.receive.incoming import Arrival, Sender
from dicom_node.receive.services import PROCESSING_FAILURE, SUCCESS, Answered, Receiving, Request, Response
from dicom_node.receive.slowing import Slowing
from dicom_node.receive.sparing import Sparing
from dicom_node.uids import is_uid

log = logging.getLogger(__name__)
log.addFilter(Sparing())

OUT_OF_RESOURCES = 0xA700  # PS3.4 Table B.2-1: worth another attempt
DOES_NOT_MATCH = 0xA900  # PS3.4 Table B.2-1: the object is not what the command or its SOP class says; final
CANNOT_UNDERSTAND = 0xC000  # PS3.4 Table B.2-1: its bytes are no data set that is read; final


class Storing:
    """The service of C-STORE requests on one association; success means that the object's bytes are durable.

    An error of ours is never answered 0xCxxx: senders take that as final. So are limits that the object itself is
    beyond, as they are counts, and sending it again changes none of them.
    """

    def __init__(self, sender: Sender, slowing: Slowing) -> None:
        self._sender = sender
        self.slowing = slowing
        self.stored: Counter[str] = Counter()  # objects, by Study Instance UID
        self.refused = 0

    def __call__(self, request: Request) -> Receiving:
        """Begin with one request; what cannot be kept is read over and answered so."""
        try:
            return _Keeping(request, self._sender.arrival(_head(request)), self)
        except Exception as error:  # noqa: BLE001 - each becomes an answer
            self.refused += 1
            return Answered(_answer_to(error, request))


class _Keeping:
    """A data set on its way to disk."""

    def __init__(self, request: Request, arrival: Arrival, counts: Storing) -> None:
        self._request = request
        self._arrival = arrival
        self._counts = counts
        self._study_uid = ""

    def write(self, fragment: memoryview) -> None:
        self._arrival.write(fragment)

    def give_up(self) -> None:
        self._arrival.drop()

    def finish(self) -> Response:
        try:
            self._arrival.keep(self._check)
        except Exception as error:  # noqa: BLE001 - each becomes an answer
            self._counts.refused += 1
            if isinstance(error.__cause__, ExcessError):
                self._counts.slowing.wait(self._request.caller.address)
            return _answer_to(error, self._request)
        self._counts.stored[self._study_uid] += 1
        return Response(SUCCESS)

    def _check(self, arrival: Arrival) -> None:
        """Compare what the object says it is with what the command said (PS3.4 B.2.3, Table B.2-1)."""
        syntax = self._request.context.transfer_syntax
        identity = peek_identity(arrival.begin, syntax, arrival.data_set_at)
        if identity is None:
            with arrival.read() as data_set:
                identity = read_identity(data_set, arrival.data_set_size, syntax)
        self._study_uid = identity.study_uid
        for keyword, own, element in (
            ("SOPInstanceUID", identity.sop_instance_uid, dimse.AFFECTED_SOP_INSTANCE),
            ("SOPClassUID", identity.sop_class_uid, dimse.AFFECTED_SOP_CLASS),
        ):
            if own != dimse.text(self._request.command, element):
                raise ObjectError(identity.sop_instance_uid, f"{keyword} differs from the command's")


def _answer_to(error: Exception, request: Request) -> Response:
    uid = dimse.text(request.command, dimse.AFFECTED_SOP_INSTANCE)
    name = uid if is_uid(uid) else "an object without a valid UID"
    if isinstance(error, ObjectError):
        names = name, request.caller.ae_title, error.problem
        log.warning("%s from %r refused: %s", *names, extra={"peer": request.caller.address})
        status = CANNOT_UNDERSTAND if isinstance(error, EncodingError) else DOES_NOT_MATCH
        return Response(status, error.problem)
    if isinstance(error, MemoryError):
        log.error("%s cannot be kept: memory is short", name)
        return Response(OUT_OF_RESOURCES, "Memory is short; send again later")
    if isinstance(error, OSError):
        log.error("%s cannot be kept: %s", name, error.strerror)
        return Response(OUT_OF_RESOURCES, "Storage is full or away; send again later")
    log.error("%s cannot be kept", name, exc_info=error)
    return Response(PROCESSING_FAILURE, "Error at the receiver; send again later")


def _head(request: Request) -> bytes:
    """Return what the file of a request has before its data set.

    Raises:
        ObjectError: the request names no object, or has none.
    """
    sop_class, instance = (
        dimse.text(request.command, element) for element in (dimse.AFFECTED_SOP_CLASS, dimse.AFFECTED_SOP_INSTANCE)
    )
    for keyword, uid in (("SOPClassUID", sop_class), ("SOPInstanceUID", instance)):
        if not is_uid(uid):
            raise ObjectError("C-STORE request", f"its {keyword} is no UID")
    if not request.has_data_set:
        raise ObjectError(instance, "no data set came")
    return file_head(
        sop_class=sop_class,
        instance=instance,
        transfer_syntax=request.context.transfer_syntax,
        calling=request.caller.ae_title,
        called=request.caller.called_ae_title,
        address=request.caller.address,
        certificate=request.caller.certificate,
    )
