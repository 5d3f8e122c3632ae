"""A receiver as a process of its own: `node.py` starts this module."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from dicom_node.config import Config
from dicom_node.processes import be_part, inherited
from dicom_node.receive.association_table import AssociationTable
from dicom_node.receive.commitment import commitment_offers
from dicom_node.receive.receiver import Receiver

_LOOK_S = 1.0


def receive(config: Config, stopped: threading.Event, ready: Callable[[], None]) -> None:
    """Receive until told to stop.

    Raises:
        RuntimeError: nothing is taken any more; a new process may do better.
    """
    listener, table = inherited()
    receiver = Receiver(
        config, commitment_offers(config), AssociationTable(config.node.max_associations, descriptor=table)
    )
    receiver.start(socket.socket(fileno=listener))
    ready()
    while not stopped.wait(_LOOK_S):
        if not receiver.is_alive:
            raise RuntimeError("nobody listens any more")
    receiver.stop()


if __name__ == "__main__":
    be_part(receive)
