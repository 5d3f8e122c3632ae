"""Objects as receivers leave them, taken by a registrar that runs for as long as that needs."""

from __future__ import annotations

import time

from pydicom import FileDataset

from dicom_node.catalog import Instance, OpenAssociation
from dicom_node.receive.registrar import Registrar
from tests.receive.node import eventually, received
from tests.work.house import House

SCANNER, PACS = ("SCANNER", "10.0.0.1"), ("PACS", "10.0.0.2")
NAMED, STRANGER = ("NAMED", "10.0.0.3"), ("STRANGER", "10.0.0.9")

_SETTLED_S = 60.0  # a process of its own may have to start, which compares versions


def arrive(house: House, *objects: FileDataset, sender: tuple[str, str] = PACS) -> None:
    """Let the registrar take objects that a sender (AE title, address) has sent, and write all that follows."""
    incoming = house.config.storage_folder / "incoming"
    incoming.mkdir(exist_ok=True)
    for number, one in enumerate(objects):
        received(incoming / f"{time.time_ns():016x}-{number}.dcm", one, calling=sender[0], address=sender[1])
    register(house)


def register(house: House) -> None:
    """Let a registrar start, do all there is to do, and end."""
    registrar = Registrar(house.config, house.catalog)
    registrar.start()
    eventually(lambda: _is_done(house), _SETTLED_S)
    registrar.stop()


def _is_done(house: House) -> bool:
    folder = house.config.storage_folder
    kept = {path.relative_to(folder).as_posix() for path in folder.glob("storage/*/*/*.dcm")}
    waits = [path for name in ("incoming", "comparing", "decisions", "conflicts") for path in folder.glob(f"{name}/*")]
    has_rows = kept <= {row.path for row in house.rows(Instance)}  # and with them, their associations
    return not waits and has_rows and not house.rows(OpenAssociation)
