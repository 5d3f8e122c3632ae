"""Storage Commitment Push Model as it reaches our acceptor (PS3.4 J): answers to us, and requests of our senders."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context

from dicom_node.callers import Callers, is_at
from dicom_node.commitment import REFERENCES_AT_MOST, TooManyReferencesError, keep_message, read_message
from dicom_node.config import Config, Peer
from dicom_node.encoding import ExcessError, UnreadableError
from dicom_node.encoding.narrow import decode_message
from dicom_node.errors import ObjectError
from dicom_node.receive.command import N_ACTION, N_EVENT_REPORT
from dicom_node.receive.services import (
    PROCESSING_FAILURE,
    SUCCESS,
    Answered,
    Caller,
    Offer,
    Receiving,
    Request,
    Response,
)
from dicom_node.receive.slowing import Slowing
from dicom_node.uids import STORAGE_COMMITMENT

log = logging.getLogger(__name__)

_NOT_AUTHORISED = 0x0124  # PS3.7 C.5.23
_RESOURCE_LIMITATION = 0x0213  # PS3.7 C.5.21
_INVALID_ARGUMENT = 0x0115  # PS3.7 C.5.6
_AT_MOST = 4 << 20  # bytes of a data set; REFERENCES_AT_MOST objects take two million
_ELEMENTS_AT_MOST = 8 * REFERENCES_AT_MOST  # an item has three elements or a few more, and at most two delimiters
_SYNTAXES: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
"""No deflated one: what a message inflates to would be unbounded."""


def commitment_offers(config: Config) -> list[Offer]:
    """Return the services that storage commitment takes, both ways; messages are kept on disk before the answer.

    A peer that answers us opens the association and is the SCP on it (PS3.4 J.3.3.1.3). A sender that asks us is
    answered on an association that we open, so it has to be one of the peers. Both are known by AE title and by the
    peer's address, or by a certificate that `[callers]` names for this AE title.
    """
    callers, slowing = Callers(config), Slowing()
    context = build_context(STORAGE_COMMITMENT, _SYNTAXES)
    context.scu_role = context.scp_role = True

    def report(request: Request) -> Receiving:
        caller = request.caller
        names = [name for name, peer in _peers_of(config, callers, caller) if caller.ae_title == peer.reports_as]
        return _kept_from(config, request, names, slowing, is_report=True)

    def action(request: Request) -> Receiving:
        if not config.node.commits:
            return Answered(Response(_NOT_AUTHORISED, "[node] commits is off: nothing is committed"))
        caller = request.caller
        names = [name for name, peer in _peers_of(config, callers, caller) if caller.ae_title == peer.ae_title]
        return _kept_from(config, request, names, slowing, is_report=False)

    return [Offer(N_EVENT_REPORT, report, [context]), Offer(N_ACTION, action, [])]


def _peers_of(config: Config, callers: Callers, caller: Caller) -> Iterator[tuple[str, Peer]]:
    """Yield the peers that a caller may be by its address or certificate: an AE title alone proves nothing."""
    is_certified = callers.shows_own_certificate(caller.ae_title, caller.certificate)
    for name, peer in config.peers.items():
        if not peer.url and (is_certified or is_at(peer.host, caller.address)):
            yield name, peer


def _kept_from(
    config: Config, request: Request, names: Sequence[str], slowing: Slowing, *, is_report: bool
) -> Receiving:
    if not names:
        caller = request.caller
        log.warning("%r at %s is no peer: its storage commitment message counts for nothing", *_who(caller))
        slowing.wait(caller.address)  # before up to gigabytes are read over
        return Answered(Response(_NOT_AUTHORISED, "Not a known peer by AE title and address or certificate"))
    return _Kept(config.storage_folder, request.context.transfer_syntax, names, is_report)


def _who(caller: Caller) -> tuple[str, str]:
    return caller.ae_title, caller.address


@dataclass(slots=True)
class _Kept:
    """One message on its way to disk."""

    storage_folder: Path
    transfer_syntax: str
    peers: Sequence[str]
    is_report: bool
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes; beyond any sensible size they are only counted."""
        self.size += len(fragment)
        if self.size <= _AT_MOST:
            self.parts.append(bytes(fragment))

    def finish(self) -> Response:
        """Return the answer."""
        if self.size > _AT_MOST:
            return Response(_RESOURCE_LIMITATION, "Too many objects in one message")
        try:
            said = decode_message(b"".join(self.parts), self.transfer_syntax, _ELEMENTS_AT_MOST)
            keep_message(read_message(said, self.peers, is_report=self.is_report), self.storage_folder)
        except (TooManyReferencesError, ExcessError):
            return Response(_RESOURCE_LIMITATION, "Too many objects in one message")
        except (ObjectError, UnreadableError) as error:
            log.warning("%s", error)
            return Response(_INVALID_ARGUMENT, getattr(error, "problem", str(error)))
        except Exception as error:  # noqa: BLE001 - broken bytes, or a disk that is away: the peer may try again
            log.warning("a storage commitment message cannot be kept (%s)", type(error).__name__)
            return Response(PROCESSING_FAILURE, "Error at the receiver; send again later")
        return Response(SUCCESS)

    def give_up(self) -> None:
        """Nothing has been kept."""
