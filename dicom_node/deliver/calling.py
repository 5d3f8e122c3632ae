"""Associations that we request: with time-outs, and with a sentence for a person where there is none (PS3.8)."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from dicom_node.config import TLS, Config, Peer
from dicom_node.deliver.outcomes import Outcome
from dicom_node.deliver.pacing import Line, pace
from dicom_node.errors import PeerError
from dicom_node.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_NAME

_REJECTED = 1, 2  # permanently, transiently (PS3.8 Table 9-21)
_ADVICE = {  # by source and reason (PS3.8 Table 9-21)
    (1, 3): "does not know our AE title {ours!r}: enter it there, together with this machine's address",
    (1, 7): "is not called {theirs!r}: correct the peer's ae_title",
    (3, 1): "is congested: it is tried again",
    (3, 2): "has no association left for us: it is tried again",
}
_WEB_ANSWER_S = 2.0
_PATIENCE = 10  # time-outs that a peer may say "pending" for without a sub-operation done
_COUNTS = ("NumberOfCompletedSuboperations", "NumberOfFailedSuboperations", "NumberOfWarningSuboperations")

Cause: TypeAlias = Literal["host", "port", "web", "certificates", "peer"]
"""What has to be put right: the host's name or address, the port, both as a web server's, TLS, or the peer's set-up."""

Responses: TypeAlias = Iterator[tuple[Dataset, Dataset | None]]
"""Statuses with what they carry."""


class NoAssociationError(PeerError):
    """A peer would not or could not associate; `outcome` is what that means for the objects meant for it."""

    def __init__(self, peer: Peer, problem: str, outcome: Outcome = "unreached", cause: Cause = "peer") -> None:
        super().__init__(f"{peer.where} {problem}")
        self.outcome = outcome
        self.cause = cause


class NothingAcceptedError(NoAssociationError):
    """A peer would associate, but takes none of the presentation contexts."""


def associate(
    config: Config,
    peer: Peer,
    contexts: Sequence[PresentationContext],
    handlers: Iterable[evt.EventHandlerType] = (),
    roles: Iterable[SCP_SCU_RoleSelectionNegotiation] = (),
) -> Association:
    """Return an established association; every wait in it ends after `timeout_s`.

    Raises:
        NoAssociationError: there is none, and why.
    """
    _prepare_pynetdicom()
    entity = AE(config.node.ae_title)
    entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    entity.implementation_version_name = IMPLEMENTATION_NAME
    entity.acse_timeout = entity.dimse_timeout = peer.timeout_s
    entity.network_timeout = entity.connection_timeout = peer.timeout_s
    paced = [(evt.EVT_DATA_SENT, pace, [Line(config, peer)])] if peer.max_mbit else []
    tls = None if peer.tls is None else (_client_context(config, peer, peer.tls), peer.host)
    try:
        association = entity.associate(
            peer.host,
            peer.port,
            list(contexts),
            ae_title=peer.ae_title,
            ext_neg=list(roles),
            tls_args=tls,
            evt_handlers=[(evt.EVT_CONN_OPEN, _tune_connection, [peer.timeout_s]), *paced, *handlers],
        )
    except OSError as error:
        raise NoAssociationError(peer, f"cannot be found ({error.strerror}): check its host", cause="host") from error
    if not association.is_established:
        raise _why_not(config, peer, association)
    keep_answers(association)
    return association


def advancing(association: Association, peer: Peer, responses: Responses) -> Responses:
    """Yield a peer's responses to a query or retrieval; one that would go on for ever is cut.

    Raises:
        NoAssociationError: it has said "pending" for ten time-outs, and no sub-operation was done in them.
    """
    counted: list[object] = []
    since = time.monotonic()
    for status, match in responses:
        counts = [status.get(keyword) for keyword in _COUNTS]
        if counts != counted:
            counted, since = counts, time.monotonic()
        elif time.monotonic() - since > _PATIENCE * peer.timeout_s:
            association.abort()
            raise NoAssociationError(peer, f"was cut: it answered for {_PATIENCE * peer.timeout_s:g} s without an end")
        yield status, match


def keep_answers(association: Association) -> None:
    """Give an answer back to the call that waits for it where pynetdicom's own thread has taken it.

    That thread is asked to pause before each request, but may still be on its way to look for a message; it would drop
    an answer as unexpected, and the call would wait for its time-out.
    """
    serve = association._serve_request

    def serve_or_give_back(message: Any, context_id: int) -> None:
        if message.is_valid_request:
            serve(message, context_id)
        else:
            association.dimse.msg_queue.put((context_id, message))

    association._serve_request = serve_or_give_back  # type: ignore[assignment, method-assign]  # no hook


def _prepare_pynetdicom() -> None:
    _config.LOG_HANDLER_LEVEL = "none"  # its lines may hold a patient's name
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.STORE_SEND_CHUNKED_DATASET = True  # files are sent as they lie, and never stand in memory whole
    logging.getLogger("pynetdicom").setLevel(logging.WARNING)


def _tune_connection(event: Event, timeout_s: float) -> None:
    """Send without waiting for more to send, and cut a peer that stops reading."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.socket.settimeout(timeout_s)


def _why_not(config: Config, peer: Peer, association: Association) -> NoAssociationError:
    answer = association.acceptor.primitive
    if answer is None:
        return _probe(config, peer)
    if answer.result not in _REJECTED:
        return NothingAcceptedError(
            peer, "accepts nothing of what we have for it: check what it is set up to store", "park"
        )
    advice = _ADVICE.get((answer.result_source or 0, answer.diagnostic or 0), f"rejected us: {answer.reason_str}")
    problem = advice.format(ours=config.node.ae_title, theirs=peer.ae_title)
    return NoAssociationError(peer, problem, "park" if answer.result == 1 else "unreached")


def _probe(config: Config, peer: Peer) -> NoAssociationError:
    """Say why a peer gave no answer: pynetdicom does not, so the connection is tried once more by itself."""
    cause: Cause = "host"
    try:
        problem, cause = _connection_problem(config, peer)
    except NoAssociationError as error:
        return error
    except ssl.SSLError as error:
        problem = f"did not agree on TLS ({error.reason}): check that it speaks TLS, and both sides' certificates"
        cause = "certificates"
    except ConnectionRefusedError:
        problem, cause = "refused the connection: check that it runs, and its port", "port"
    except TimeoutError:
        problem = f"did not answer within {peer.timeout_s:g} s: check its host, its port and the firewall between"
    except OSError as error:
        problem = f"cannot be reached ({error.strerror})"
    return NoAssociationError(peer, problem, cause=cause)


def _connection_problem(config: Config, peer: Peer) -> tuple[str, Cause]:
    """Say what is wrong with a peer that takes a connection."""
    with socket.create_connection((peer.host, peer.port), peer.timeout_s) as connection:
        if peer.tls is not None:
            _client_context(config, peer, peer.tls).wrap_socket(connection, server_hostname=peer.host).close()
        elif _is_web_server(connection):
            return "is a web server, which speaks no DIMSE: check its port", "web"
    waited = f"took the call but gave no DICOM answer in {peer.timeout_s:g} s"
    return f"{waited}: check its port and whether it wants TLS", "port"


def _is_web_server(connection: socket.socket) -> bool:
    """Say whether a HTTP request is answered as one; an SCP takes it for a broken PDU, and aborts (PS3.8 9.3.8)."""
    connection.settimeout(_WEB_ANSWER_S)
    try:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.recv(4).startswith(b"HTTP")
    except OSError:
        return False


def _client_context(config: Config, peer: Peer, tls: TLS) -> ssl.SSLContext:
    """Return a context that shows our certificate and asks for one signed by `ca` (PS3.15 B.9).

    The host name is not compared: peers are known by address, and their certificates seldom name one.
    """
    if problem := tls.problem(config.folder):
        raise NoAssociationError(peer, f"was not called: its [tls] {problem}", cause="certificates")
    context = ssl.create_default_context(cafile=config.folder / tls.ca)
    context.load_cert_chain(config.folder / tls.certificate, config.folder / tls.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    return context
