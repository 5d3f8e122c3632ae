"""The receiver: the association server above the incoming folder; it needs no catalog."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from dicom_node.config import Config
from dicom_node.receive.association_table import AssociationTable
from dicom_node.receive.incoming import Incoming
from dicom_node.receive.scp import StorageSCP
from dicom_node.receive.services import Offer
from dicom_node.receive.shelf import Shelf


class Receiver:
    """Receives objects for one node until it is stopped; one process runs one receiver."""

    def __init__(self, config: Config, offers: Iterable[Offer] = (), table: AssociationTable | None = None) -> None:
        """`offers` are services besides Verification and Storage; `table` is shared with the node's other receivers."""
        self._shelf = Shelf(config.storage_folder)
        self._incoming = Incoming(self._shelf, config.storage, config.storage.ready_mb * 1_000_000)
        self._scp = StorageSCP(config, self._incoming, offers, table)

    @property
    def port(self) -> int:
        """The TCP port listened on, once started."""
        return self._scp.port

    @property
    def is_alive(self) -> bool:
        """Whether objects are still taken; a receiver that takes none is to be started anew."""
        return self._scp.is_alive

    def start(self, listener: socket.socket | None = None) -> None:
        """Take connections, from a listener that others take from too, or else from one of its own; returns at once.

        Raises:
            OSError: the storage folder cannot be written, or the port cannot be listened on.
        """
        self._shelf.make()
        self._scp.start(listener)

    def stop(self) -> None:
        """Abort what is open, and end."""
        self._scp.stop()
        self._incoming.close()
