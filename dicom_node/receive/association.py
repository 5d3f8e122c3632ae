"""An established association: P-DATA in every shape, release and abort (PS3.8 7.2 to 7.6, 9.3.5 to 9.3.8, D, E)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from dicom_node.receive import command as dimse
from dicom_node.receive.command import CommandError, Elements
from dicom_node.receive.services import (
    Caller,
    Context,
    Receiving,
    Request,
    Response,
    Service,
    of_another_class,
    unrecognized,
)
from dicom_node.receive.stream import Stream

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF = 0x01, 0x02, 0x03, 0x04
A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = 0x05, 0x06, 0x07
_PDU_TYPES = range(A_ASSOCIATE_RQ, A_ABORT + 1)

# PS3.8 Table 9-26, reasons of the UL service provider
UNSPECIFIED, UNRECOGNIZED_PDU, UNEXPECTED_PDU, INVALID_PARAMETER = 0, 1, 2, 6

PDU_HEAD = struct.Struct(">BxL")  # type, length of what follows (PS3.8 9.3)
_PDV_HEAD = struct.Struct(">LBB")  # length of what follows it, context, message control header (PS3.8 9.3.5.1)
_COMMAND, _LAST = 0x01, 0x02  # bits of the message control header (PS3.8 E.2)
_PDV_OVERHEAD = 2  # context and message control header count as part of a PDV
_COMMAND_AT_MOST = 64 << 10  # bytes; real ones have a hundred
RELEASED, ABORTED = "released", "aborted by the peer"
RELEASE_REPLY = PDU_HEAD.pack(A_RELEASE_RP, 4) + bytes(4)

MAXIMUM_PDU = 128 << 10  # bytes of a P-DATA-TF PDU's variable field; measured best, larger ones are slower


class AbortError(Exception):
    """The peer broke the protocol; the association is to be aborted for this reason (PS3.8 9.3.8)."""

    def __init__(self, reason: int, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was negotiated."""

    caller: Caller
    contexts: Mapping[int, Context]
    peer_maximum: int  # bytes of a P-DATA-TF PDU's variable field that the peer takes; 0 is any number


def abort(reason: int) -> bytes:
    """Return an A-ABORT PDU of the UL service provider."""
    return PDU_HEAD.pack(A_ABORT, 4) + bytes((0, 0, 2, reason))


class Association:
    """Reads requests one after the other and answers each before it reads on.

    A peer that sends ahead, as an asynchronous operations window allows (PS3.7 D.3.3.3), finds its requests answered
    in their order.
    """

    def __init__(self, stream: Stream, agreed: Agreed, services: Mapping[int, Service]) -> None:
        self._stream = stream
        self._agreed = agreed
        self._services = services
        self._command = bytearray()
        self._context: Context | None = None  # of the message that is coming in
        self._request: Request | None = None
        self._receiving: Receiving | None = None

    def run(self) -> str:
        """Serve until the peer is done; returns how it ended, ABORTED or RELEASED, which is still to be replied to.

        Raises:
            AbortError: the peer broke the protocol.
            EndedError: the connection is gone.
        """
        try:
            while True:
                if self._context is None:
                    self._stream.rest()
                kind, length = self._stream.head(PDU_HEAD)
                if kind == P_DATA_TF:
                    self._take_data(length)
                elif kind == A_RELEASE_RQ:
                    return RELEASED
                elif kind == A_ABORT:
                    return ABORTED
                else:
                    raise AbortError(*_out_of_place(kind))
        finally:
            if self._receiving is not None:
                self._receiving.give_up()

    def _take_data(self, left: int) -> None:
        """Read one P-DATA-TF PDU: one or more PDVs, each of any size (PS3.8 9.3.5)."""
        if left > MAXIMUM_PDU:
            raise AbortError(INVALID_PARAMETER, f"a P-DATA-TF PDU of {left} bytes is more than was agreed")
        while left:
            if left < _PDV_HEAD.size:
                raise AbortError(INVALID_PARAMETER, "a presentation data value is cut off")
            length, context_id, control = self._stream.head(_PDV_HEAD)
            left -= _PDV_HEAD.size
            size = length - _PDV_OVERHEAD
            if not 0 <= size <= left:
                raise AbortError(INVALID_PARAMETER, f"a presentation data value of {length} bytes cannot be here")
            left -= size
            self._take_fragment(context_id, control, size)

    def _take_fragment(self, context_id: int, control: int, size: int) -> None:
        """Take a fragment; those of one message come together and in one context (PS3.8 E.1, E.2)."""
        receiving = self._receiving
        if bool(control & _COMMAND) == (receiving is not None):
            raise AbortError(UNEXPECTED_PDU, "command and data set are out of order")
        if self._context is None:
            self._context = self._agreed.contexts.get(context_id)
        if self._context is None or self._context.id != context_id:
            raise AbortError(INVALID_PARAMETER, f"presentation context {context_id} is not open here")
        if receiving is None:
            self._take_command(size, is_last=bool(control & _LAST))
            return
        while size:
            chunk = self._stream.some(size)
            receiving.write(chunk)
            size -= len(chunk)
        if control & _LAST:
            self._answer(receiving)

    def _take_command(self, size: int, *, is_last: bool) -> None:
        if len(self._command) + size > _COMMAND_AT_MOST:
            raise AbortError(INVALID_PARAMETER, "a command set without end")
        self._command += self._stream.read(size)
        if not is_last:
            return
        try:
            self._begin(dimse.decode(self._command))
        except CommandError as error:
            raise AbortError(INVALID_PARAMETER, f"no command set: {error}") from error
        finally:
            self._command.clear()

    def _begin(self, elements: Elements) -> None:
        field = dimse.number(elements, dimse.COMMAND_FIELD)
        if field == dimse.C_CANCEL:  # nothing is ever pending here (PS3.7 9.3.2.3)
            self._context = None
            return
        if field & dimse.RESPONSE:
            raise AbortError(UNEXPECTED_PDU, "a response to what nobody asked")
        dimse.number(elements, dimse.MESSAGE_ID)  # without it nothing could be answered
        has_data_set = dimse.number(elements, dimse.DATA_SET_TYPE) != dimse.NO_DATA_SET
        assert self._context is not None  # noqa: S101 - set by the fragment that brought us here
        self._request = Request(elements, self._context, self._agreed.caller, has_data_set)
        service = self._services.get(field, unrecognized)
        self._receiving = (service if _fits(elements, self._context) else of_another_class)(self._request)
        if not has_data_set:
            self._answer(self._receiving)

    def _answer(self, receiving: Receiving) -> None:
        request, self._request = self._request, None
        self._receiving = self._context = None
        assert request is not None  # noqa: S101 - whatever receives was begun by a request
        response = receiving.finish()
        self._stream.send(b"".join(_fragments(request, response, self._agreed.peer_maximum)))


def _fits(elements: Elements, context: Context) -> bool:
    """Say whether a request is for the SOP Class that its presentation context was agreed for (PS3.8 7.1.1.13)."""
    field = dimse.REQUESTED_SOP_CLASS if dimse.REQUESTED_SOP_CLASS in elements else dimse.AFFECTED_SOP_CLASS
    return dimse.text(elements, field) in ("", context.abstract_syntax)


def _out_of_place(kind: int) -> tuple[int, str]:
    if kind in _PDU_TYPES:
        return UNEXPECTED_PDU, f"a PDU of type {kind} within an association"
    return UNRECOGNIZED_PDU, f"a PDU of the unknown type {kind}"


def _fragments(request: Request, response: Response, peer_maximum: int) -> list[bytes]:
    """Return the P-DATA-TF PDUs of a response, none larger than the peer takes (PS3.7 9.3, 10.3; PS3.8 E)."""
    elements = {
        **response.elements,
        dimse.COMMAND_FIELD: dimse.as_us(dimse.number(request.command, dimse.COMMAND_FIELD) | dimse.RESPONSE),
        dimse.RESPONDED_TO: request.command[dimse.MESSAGE_ID],
        dimse.DATA_SET_TYPE: dimse.as_us(0x0001 if response.data_set else dimse.NO_DATA_SET),
        dimse.STATUS: dimse.as_us(response.status),
    }
    for asked, answered in _SAID_AGAIN:
        if asked in request.command:
            elements[answered] = request.command[asked]
    if response.comment:
        elements[dimse.ERROR_COMMENT] = dimse.as_text(response.comment[:64])
    pdus = _cut(dimse.encode(elements), request.context.id, _COMMAND, peer_maximum)
    return [*pdus, *_cut(response.data_set, request.context.id, 0, peer_maximum)] if response.data_set else pdus


_SAID_AGAIN = (
    (dimse.AFFECTED_SOP_CLASS, dimse.AFFECTED_SOP_CLASS),
    (dimse.AFFECTED_SOP_INSTANCE, dimse.AFFECTED_SOP_INSTANCE),
    (dimse.REQUESTED_SOP_CLASS, dimse.AFFECTED_SOP_CLASS),
    (dimse.REQUESTED_SOP_INSTANCE, dimse.AFFECTED_SOP_INSTANCE),
)
"""What a response repeats of its request, and as what (PS3.7 9.1.1, 10.1.4)."""


def _cut(data: bytes, context_id: int, control: int, peer_maximum: int) -> list[bytes]:
    """Return data as P-DATA-TF PDUs of one PDV each."""
    step = max(1, (peer_maximum or MAXIMUM_PDU) - _PDV_HEAD.size)
    pdus = []
    for first in range(0, len(data), step):
        part = data[first : first + step]
        last = _LAST if first + step >= len(data) else 0
        head = PDU_HEAD.pack(P_DATA_TF, _PDV_HEAD.size + len(part))
        pdus.append(head + _PDV_HEAD.pack(_PDV_OVERHEAD + len(part), context_id, control | last) + part)
    return pdus
