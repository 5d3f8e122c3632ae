"""The association server: listens, and gives each connection a thread (PS3.8)."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from dicom_node.config import TLS, Config
from dicom_node.errors import ConfigError
from dicom_node.receive import command as dimse
from dicom_node.receive.association_table import AssociationTable
from dicom_node.receive.connection import Connection, Site
from dicom_node.receive.doors import Doors
from dicom_node.receive.incoming import Incoming
from dicom_node.receive.listening import listen
from dicom_node.receive.negotiation import Negotiation
from dicom_node.receive.services import Offer, verification
from dicom_node.receive.slowing import Slowing

log = logging.getLogger(__name__)

_STOP_S = 5.0
_PAUSE_S = 0.1  # where descriptors or threads have run out


class StorageSCP:
    """Answers C-ECHO, C-STORE, and the requests of further services."""

    def __init__(
        self, config: Config, incoming: Incoming, offers: Iterable[Offer], table: AssociationTable | None
    ) -> None:
        """`table` is shared with the node's other receivers, where there are others."""
        self._node = node = config.node
        self._doors = Doors(config, table or AssociationTable(node.max_associations))
        offers = list(offers)
        self._site = Site(
            Negotiation(node, [context for offer in offers for context in offer.contexts]),
            self._doors,
            incoming,
            {dimse.C_ECHO: verification, **{offer.command_field: offer.service for offer in offers}},
            Slowing(),
            node.silence_s,
            _server_context(node.tls, config.folder) if node.tls else None,
        )
        self._listener: socket.socket | None = None
        self._is_alone = True
        self._accepting = threading.Thread(target=self._accept, name="accepting", daemon=True)
        self._threads: set[threading.Thread] = set()

    @property
    def port(self) -> int:
        """The TCP port listened on; the configured one until started."""
        return int(self._listener.getsockname()[1]) if self._listener else self._node.port

    @property
    def is_alive(self) -> bool:
        """Whether connections are still taken."""
        return self._accepting.is_alive()

    def start(self, listener: socket.socket | None = None) -> None:
        """Take connections, from a listener that others take from too, or else from one of its own; returns at once.

        Raises:
            OSError: the port cannot be listened on.
        """
        self._is_alone = listener is None
        self._listener = listener or listen(self._node.host, self._node.port)
        self._doors.open()
        self._accepting.start()
        log.info("listening as %s on %s:%d", self._node.ae_title, self._node.host, self.port)

    def stop(self) -> None:
        """Abort the open associations. A listener of others is theirs to end; what still comes from it is cut."""
        if self._listener is not None and self._is_alone:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._accepting.join()
            self._listener.close()
        self._doors.close()
        deadline = time.monotonic() + _STOP_S
        for thread in tuple(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        assert self._listener is not None  # noqa: S101 - `start` has made it
        while True:
            try:
                connection, address = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection, address[0]), daemon=True).start()
            except (OSError, RuntimeError) as error:  # RuntimeError: no thread can be started
                if isinstance(error, OSError) and error.errno == errno.EINVAL:  # shut down
                    return
                log.warning("a connection could not be taken: %s", error)
                time.sleep(_PAUSE_S)

    def _serve(self, connection: socket.socket, address: str) -> None:
        thread = threading.current_thread()
        self._threads.add(thread)
        try:
            Connection(self._site, connection, address).serve()
        finally:
            self._threads.discard(thread)


def _server_context(tls: TLS, folder: Path) -> ssl.SSLContext:
    """Return a context that asks for a certificate signed by `ca` (PS3.15 B.9); relative files lie in folder."""
    if problem := tls.problem(folder):
        raise ConfigError(f"[node.tls] {problem}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / tls.certificate, folder / tls.key)
    context.load_verify_locations(folder / tls.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
