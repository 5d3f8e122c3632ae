"""The association server: Verification and Storage as SCP (PS3.4 A, B; PS3.8)."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, AllTransferSyntaxes, ExplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt, register_uid
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class
from pynetdicom.transport import ThreadedAssociationServer

from dicom_node.config import TLS, Config, Node
from dicom_node.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_NAME

log = logging.getLogger(__name__)

_VERIFICATION = "1.2.840.10008.1.1"  # PS3.4 A.4
_ACSE_S = 30.0  # an association that is not negotiated by then is dropped
_MAXIMUM_PDU = 128 << 10  # bytes; measured best, larger ones are slower

_RETIRED_JPEG = [UID(f"1.2.840.10008.1.2.4.{number}") for number in range(52, 67)]  # old archives still send them
# The acceptor's order decides where one context offers several (PS3.8 7.1.1.13): the one that loses nothing first.
_TRANSFER_SYNTAXES = list(dict.fromkeys([ExplicitVRLittleEndian, *AllTransferSyntaxes, *_RETIRED_JPEG]))


class StorageSCP:
    """Answers C-ECHO, and C-STORE by way of `store`."""

    def __init__(self, config: Config, store: Callable[[Event], Dataset]) -> None:
        self._node = config.node
        self._folder = config.folder
        self._store = store
        self._ae = _application_entity(config.node)
        self._server: ThreadedAssociationServer | None = None

    @property
    def port(self) -> int:
        """The TCP port listened on; the configured one until started."""
        return self._server.server_address[1] if self._server else self._node.port

    @property
    def is_alive(self) -> bool:
        """Whether the socket is still listened on."""
        return self._server is not None and self._server.socket is not None and self._server.socket.fileno() >= 0

    def start(self) -> None:
        """Listen; returns at once.

        Raises:
            OSError: the port cannot be listened on, or a certificate file cannot be used.
        """
        self._server = self._ae.start_server(
            (self._node.host, self._node.port),
            block=False,
            ssl_context=_server_context(self._node.tls, self._folder) if self._node.tls else None,
            evt_handlers=[
                (evt.EVT_CONN_OPEN, _tune_connection, [self._node.silence_s]),
                (evt.EVT_DATA_RECV, _acknowledge_quickly),
                (evt.EVT_C_STORE, self._store),
                (evt.EVT_REJECTED, _log_end, ["rejected"]),
                (evt.EVT_ABORTED, _log_end, ["aborted"]),
            ],
        )
        log.info("listening as %s on %s:%d", self._node.ae_title, self._node.host, self.port)

    def stop(self) -> None:
        """Abort the open associations and stop listening."""
        for association in self._ae.active_associations:
            _end_reading(association)
        self._ae.shutdown()


def _application_entity(node: Node) -> AE:
    _quieten_pynetdicom()
    entity = AE(node.ae_title)
    entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    entity.implementation_version_name = IMPLEMENTATION_NAME
    entity.maximum_associations = node.max_associations
    entity.maximum_pdu_size = _MAXIMUM_PDU
    entity.acse_timeout = _ACSE_S
    entity.dimse_timeout = entity.network_timeout = node.silence_s
    entity.require_called_aet = True
    entity.require_calling_aet = [] if "*" in node.accepted_callers else list(node.accepted_callers)
    entity.add_supported_context(_VERIFICATION)
    known = [str(context.abstract_syntax) for context in AllStoragePresentationContexts]
    for uid in node.extra_sop_classes:
        if uid_to_service_class(uid) is not StorageServiceClass:
            register_uid(uid, f"Extra_{uid.replace('.', '_')}", StorageServiceClass)
    for uid in (*known, *node.extra_sop_classes):
        entity.add_supported_context(uid, _TRANSFER_SYNTAXES)
    return entity


def _quieten_pynetdicom() -> None:
    """Keep pynetdicom from logging what it receives: its lines may hold a patient's name."""
    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.WARNING)


def _connection(association: Association) -> socket.socket | None:
    transport = association.dul.socket
    return transport.socket if transport else None


def _end_reading(association: Association) -> None:
    """Wake an association that waits for the rest of a PDU: it could not be aborted before that came."""
    if connection := _connection(association):
        with suppress(OSError):  # closed meanwhile
            connection.shutdown(socket.SHUT_RD)


def _tune_connection(event: Event, silence_s: float) -> None:
    """Answer without waiting for more to send, and cut a peer that stops in the middle of a PDU."""
    if connection := _connection(event.assoc):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(silence_s)


def _acknowledge_quickly(event: Event) -> None:
    """Acknowledge each PDU at once: a sender with Nagle's algorithm on waits 40 ms per object otherwise."""
    connection = _connection(event.assoc)
    if connection is not None and hasattr(socket, "TCP_QUICKACK"):  # Linux forgets it after each use
        with suppress(OSError):  # closed meanwhile
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _log_end(event: Event, how: str) -> None:
    request = event.assoc.requestor.primitive
    if request is not None:
        address = event.assoc.requestor.address
        log.warning(
            "association of %r with %r from %s %s", request.calling_ae_title, request.called_ae_title, address, how
        )


class _LaterHandshake(ssl.SSLContext):
    """Shakes hands in the association's own thread: a silent client must not keep others from being accepted."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **settings: Any) -> ssl.SSLSocket:
        settings["do_handshake_on_connect"] = False
        return super().wrap_socket(sock, *args, **settings)


def _server_context(tls: TLS, folder: Path) -> ssl.SSLContext:
    """Return a context that asks for a certificate signed by `ca` (PS3.15 B.9); relative files lie in folder."""
    context = _LaterHandshake(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / tls.certificate, folder / tls.key)
    context.load_verify_locations(folder / tls.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
