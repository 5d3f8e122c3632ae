"""A node to be killed: real receivers, registrar, jobs and files in one process; models and the queue are stand-ins.

Started with the folder of a config.toml; it writes the port on which it listens to its standard output.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dicom_node.receive.commitment import commitment_offers
from dicom_node.receive.receiver import Receiver
from dicom_node.receive.registrar import Registrar
from tests.work.house import House

_IDLE_S = 0.05


def main(folder: Path) -> None:
    """Serve until killed."""
    house = House(folder, (folder / "config.toml").read_text())
    house.queue.ends_failed = True
    receiver = Receiver(house.config, commitment_offers(house.config))
    registrar = Registrar(house.config, house.catalog)
    receiver.start()
    registrar.start()
    print(receiver.port, flush=True)  # noqa: T201
    while registrar.is_alive:
        house.settle(ticks=1)
        time.sleep(_IDLE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
