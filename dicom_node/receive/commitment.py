"""Storage Commitment Push Model as it reaches our acceptor (PS3.4 J): answers to us, and requests of our senders."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom import build_context

from dicom_node.commitment import keep_message, read_message
from dicom_node.config import Config
from dicom_node.errors import ObjectError
from dicom_node.receive.command import N_ACTION, N_EVENT_REPORT
from dicom_node.receive.services import PROCESSING_FAILURE, SUCCESS, Answered, Offer, Receiving, Request, Response
from dicom_node.uids import STORAGE_COMMITMENT

log = logging.getLogger(__name__)

_NOT_AUTHORISED = 0x0124  # PS3.7 C.5.23
_INVALID_ARGUMENT = 0x0115  # PS3.7 C.5.6
_AT_MOST = 16 << 20  # bytes of a data set; ten thousand objects take two million


def commitment_offers(config: Config) -> list[Offer]:
    """Return the services that storage commitment takes, both ways; messages are kept on disk before the answer.

    A peer that answers us opens the association and is the SCP on it (PS3.4 J.3.3.1.3). A sender that asks us is
    answered on an association that we open, so it has to be one of the peers.
    """
    names = {peer.ae_title: name for name, peer in config.peers.items() if not peer.url}
    context = build_context(STORAGE_COMMITMENT)
    context.scu_role = context.scp_role = True

    def report(request: Request) -> Receiving:
        return _Kept(config.storage_folder, request.context.transfer_syntax)

    def action(request: Request) -> Receiving:
        peer = names.get(request.caller.ae_title, "")
        if not peer:
            log.warning("%r asks for storage commitment, but is no peer", request.caller.ae_title)
            return Answered(Response(_NOT_AUTHORISED, "Not a known peer: cannot be answered"))
        return _Kept(config.storage_folder, request.context.transfer_syntax, peer)

    return [Offer(N_EVENT_REPORT, report, [context]), Offer(N_ACTION, action, [])]


@dataclass(slots=True)
class _Kept:
    """One message on its way to disk."""

    storage_folder: Path
    transfer_syntax: str
    asked_by: str = ""
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
            return Response(PROCESSING_FAILURE, "Too many objects in one message")
        syntax = UID(self.transfer_syntax)
        try:
            said = read_dataset(BytesIO(b"".join(self.parts)), syntax.is_implicit_VR, syntax.is_little_endian)
            keep_message(read_message(said, self.asked_by), self.storage_folder)
        except ObjectError as error:
            log.warning("%s", error)
            return Response(_INVALID_ARGUMENT, error.problem)
        except Exception as error:  # noqa: BLE001 - broken bytes, or a disk that is away: the peer may try again
            log.warning("a storage commitment message cannot be kept (%s)", type(error).__name__)
            return Response(PROCESSING_FAILURE, "Error at the receiver; send again later")
        return Response(SUCCESS)

    def give_up(self) -> None:
        """Nothing has been kept."""
