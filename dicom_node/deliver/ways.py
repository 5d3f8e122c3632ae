"""One way out or the other: DIMSE where a peer has a host and a port, DICOMweb where it has a URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dicom_node.config import Config, Peer
from dicom_node.deliver import query, scu, web
from dicom_node.deliver.scu import Sent


def ask(config: Config, peer: Peer) -> None:
    """Ask a peer whether it is there.

    Raises:
        PeerError: it is not, or would not talk to us; the sentence says what to do.
    """
    (web.ping if peer.url else scu.echo)(config, peer)


def send(config: Config, peer: Peer, paths: Sequence[Path]) -> Iterator[Sent]:
    """Store files at a peer; yield what became of each of them, in no promised order.

    Nothing is raised for what a peer does: it is in the outcomes.
    """
    return (web.post if peer.url else scu.send)(config, peer, paths)


def find_objects(config: Config, peer: Peer, paths: Sequence[Path]) -> Mapping[Path, bool | None]:
    """Say of each file whether the peer holds its object; None where it gave no answer.

    Raises:
        NoAssociationError: there was nobody to ask.
    """
    return (web.search if peer.url else query.find_objects)(config, peer, paths)
