"""The registrar as a process of its own: `node.py` starts this module."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from dicom_node.catalog import Catalog
from dicom_node.config import Config
from dicom_node.processes import be_part
from dicom_node.receive.registrar import Registrar

_LOOK_S = 1.0
_NICE = 5


def register(config: Config, stopped: threading.Event, ready: Callable[[], None]) -> None:
    """Make rows until told to stop, and let those go first who answer senders.

    Raises:
        CatalogError: the catalog is damaged.
        RuntimeError: none is made any more; a new process may do better.
    """
    os.nice(_NICE)
    registrar = Registrar(config, Catalog(config.catalog_url))
    registrar.start()
    ready()
    while not stopped.wait(_LOOK_S):
        if not registrar.is_alive:
            raise registrar.problem or RuntimeError("its thread has ended")
    registrar.stop()


if __name__ == "__main__":
    be_part(register)
