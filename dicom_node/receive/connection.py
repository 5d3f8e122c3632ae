"""One connection from its first byte to its last: negotiated, served, ended, each in the words of PS3.8."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from dicom_node.certificates import fingerprint
from dicom_node.receive import command as dimse
from dicom_node.receive.admission import NoRoomError
from dicom_node.receive.association import (
    A_ASSOCIATE_RQ,
    INVALID_PARAMETER,
    PDU_HEAD,
    RELEASE_REPLY,
    RELEASED,
    UNEXPECTED_PDU,
    UNSPECIFIED,
    AbortError,
    Agreed,
    Association,
    abort,
)
from dicom_node.receive.doors import Doors
from dicom_node.receive.incoming import Incoming
from dicom_node.receive.negotiation import CONGESTED, NO_ASSOCIATION_LEFT, Negotiation, RejectedError
from dicom_node.receive.services import Service
from dicom_node.receive.slowing import Slowing
from dicom_node.receive.sparing import Sparing
from dicom_node.receive.storing import Storing
from dicom_node.receive.stream import EndedError, Stream

log = logging.getLogger(__name__)
log.addFilter(Sparing())

_ARTIM_S = 30.0  # an association that is not asked for by then is dropped (PS3.8 9.1.5)
_REQUEST_AT_MOST = 1 << 20  # bytes of an A-ASSOCIATE-RQ PDU; 128 contexts with all syntaxes take 170 KB
_GOOD_BYE_S = 2.0  # in which a peer may close first
_READ_OVER = 64 << 10  # bytes


@dataclass(frozen=True, slots=True)
class Site:
    """What all connections of one receiver share."""

    negotiation: Negotiation
    doors: Doors
    incoming: Incoming
    services: Mapping[int, Service]  # by command field; C-STORE is our own
    slowing: Slowing
    silence_s: float  # the longest wait in the middle of a message
    tls: ssl.SSLContext | None


class Connection:
    """A peer that has connected."""

    def __init__(self, site: Site, connection: socket.socket, address: str) -> None:
        self._site = site
        self._socket = connection
        self._address = address
        self._certificate = ""  # SHA-256 of what the client shows
        self._peer = {"peer": address}
        self._agreed: Agreed | None = None

    def serve(self) -> None:
        """Serve it to its end, and close it; runs in a thread of its own."""
        doors = self._site.doors
        if self._site.tls is not None:
            try:
                self._socket = self._site.tls.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
            except OSError:  # gone already
                self._socket.close()
                return
        doors.arrive(self._socket, self._address)
        try:
            last = self._served()
        except Exception:
            log.exception("connection from %s ended by an error of ours", self._address)
            last = abort(UNSPECIFIED)
        # A peer that has its last word may call again at once, and then finds its place free.
        doors.leave(self._socket)
        with self._socket:
            self._part(last)

    def _served(self) -> bytes:
        """Serve; return the last PDU to send, empty if there is none."""
        try:
            stream = self._open()
            return self._associate(stream, self._negotiate(stream))
        except RejectedError as error:
            names = error.calling, error.called, self._address
            log.warning("association of %r with %r from %s rejected: %s", *names, error, extra=self._peer)
            return error.answer
        except AbortError as error:
            log.warning("%s aborted: %s", self._name(), error, extra=self._peer)
            return abort(error.reason)
        except EndedError as error:
            if self._agreed is None:
                log.debug("connection from %s %s", self._address, error)
                return b""
            log.warning("%s aborted: the peer %s", self._name(), error, extra=self._peer)
            return abort(UNSPECIFIED)

    def _open(self) -> Stream:
        """Shake hands here and not where connections are accepted: a silent client must not keep others out."""
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(_ARTIM_S)
            try:
                self._socket.do_handshake()
            except OSError as error:
                raise EndedError(f"did not agree on TLS: {error}") from error
            self._certificate = fingerprint(self._socket.getpeercert(binary_form=True))
        return Stream(self._socket, self._site.silence_s, _ARTIM_S)

    def _negotiate(self, stream: Stream) -> Agreed:
        """Answer the association request that has to come first (PS3.8 9.2, states 2 and 3)."""
        kind, length = stream.head(PDU_HEAD)
        if kind != A_ASSOCIATE_RQ:
            raise AbortError(UNEXPECTED_PDU, f"began with a PDU of type {kind}")
        if length > _REQUEST_AT_MOST:
            raise AbortError(INVALID_PARAMETER, f"an association request of {length} bytes")
        pdu = PDU_HEAD.pack(kind, length) + stream.read(length)
        agreed, answer = self._site.negotiation.answer(pdu, self._address, self._certificate)
        caller = agreed.caller
        if self._site.incoming.is_congested:
            raise RejectedError(CONGESTED, caller.ae_title, caller.called_ae_title)
        try:
            self._site.doors.enter(self._socket, stream, caller)
        except NoRoomError as error:
            raise RejectedError(NO_ASSOCIATION_LEFT, caller.ae_title, caller.called_ae_title, str(error)) from error
        self._agreed = agreed
        stream.lift_deadline()
        stream.send(answer)
        return agreed

    def _associate(self, stream: Stream, agreed: Agreed) -> bytes:
        """Serve the association; return the reply to its release."""
        sender = self._site.incoming.sender(agreed.caller.association)
        storing = Storing(sender, self._site.slowing)
        services: dict[int, Service] = {dimse.C_STORE: storing, **self._site.services}
        try:
            how = Association(stream, agreed, services).run()
        finally:
            sender.close()
            self._tell(agreed, storing)
        if how == RELEASED:
            return RELEASE_REPLY
        log.warning("%s %s", self._name(), how, extra=self._peer)
        return b""

    def _tell(self, agreed: Agreed, storing: Storing) -> None:
        """Log how many objects of which studies an association has brought."""
        caller, address = agreed.caller.ae_title, self._address
        for study_uid, count in storing.stored.items():
            values = {"event": "received", "caller": caller, "address": address, "study": study_uid, "objects": count}
            text = "%d objects of study %s came from %r at %s"
            log.info(text, count, study_uid, caller, address, extra={**self._peer, "values": values})
        if storing.refused:
            log.warning("%d objects from %r at %s were refused", storing.refused, caller, address, extra=self._peer)

    def _name(self) -> str:
        if self._agreed is None:
            return f"connection from {self._address}"
        caller = self._agreed.caller
        return f"association of {caller.ae_title!r} with {caller.called_ae_title!r} from {self._address}"

    def _part(self, last: bytes) -> None:
        """Send the last PDU and let the peer close first, so that it can read it (PS3.8 9.2, state 13)."""
        with suppress(OSError):
            self._socket.settimeout(_GOOD_BYE_S)
            if last:
                self._socket.sendall(last)
            socket.socket.shutdown(self._socket, socket.SHUT_WR)
            if self._site.doors.is_closed:
                return
            deadline = time.monotonic() + _GOOD_BYE_S
            while self._socket.recv(_READ_OVER) and time.monotonic() < deadline:
                pass
