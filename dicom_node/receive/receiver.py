"""The receiver: association server, incoming folder and registrar put together."""

from __future__ import annotations

from dicom_node.catalog import Catalog
from dicom_node.config import Config
from dicom_node.receive.incoming import Incoming
from dicom_node.receive.registrar import Arrived, Registrar
from dicom_node.receive.scp import StorageSCP
from dicom_node.receive.shelf import Shelf
from dicom_node.receive.storing import Storing


class Receiver:
    """Receives objects for one node until it is stopped; one process runs one receiver.

    The catalog has to be migrated before. `name` tells this receiver's open associations from another's.
    """

    def __init__(self, config: Config, catalog: Catalog, name: str = "receiver") -> None:
        shelf = Shelf(config.storage_folder)
        self._incoming = Incoming(shelf.folder / "incoming", int(config.storage.min_free_gb * 1e9))
        self._registrar = Registrar(shelf, catalog, name)
        self._scp = StorageSCP(config, Storing(self._incoming, self._registrar.put, name))

    @property
    def port(self) -> int:
        """The TCP port listened on, once started."""
        return self._scp.port

    @property
    def is_alive(self) -> bool:
        """Whether objects are still taken and still registered; a receiver that is not is to be started anew."""
        return self._scp.is_alive and self._registrar.is_alive

    def start(self) -> None:
        """Take up what an earlier process left, then listen; returns at once.

        Raises:
            OSError: the storage folder cannot be written, or the port cannot be listened on.
        """
        for path in self._incoming.recover():
            self._registrar.put(Arrived(path))
        self._scp.start()
        self._registrar.start()

    def stop(self) -> None:
        """Abort what is open, make the rows of what was acknowledged, and end."""
        self._scp.stop()
        self._registrar.stop()
