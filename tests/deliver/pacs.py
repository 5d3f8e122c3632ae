"""A small archive that answers as a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.events import Event

from dicom_node.config import Config, Peer

VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class Pacs:
    """What it is set up to do, and what it has seen."""

    port: int = 0
    status: Callable[[int], int] = lambda _number: 0x0000  # of the object with this number, from 1
    answers_queries: bool = True
    received: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # transfer syntax and data set
    reads: threading.Event = field(default_factory=_set)  # it stops reading while this is not set
    associations: int = 0
    asked: int = 0

    def peer(self, **settings: object) -> Peer:
        base = {"ae_title": "PACS", "host": "127.0.0.1", "port": self.port, "timeout_s": 5.0}
        return Peer.model_validate({**base, **settings})

    def on_data(self, _event: Event) -> None:
        self.reads.wait(20)

    def on_store(self, event: Event) -> int:
        self.asked += 1
        status = self.status(self.asked)
        data_set = event.encoded_dataset(include_meta=False)
        uid = str(event.request.AffectedSOPInstanceUID)  # type: ignore[union-attr]
        self.received[uid] = (str(event.context.transfer_syntax), data_set)
        return status

    def on_find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        uid = event.identifier.SOPInstanceUID
        if self.answers_queries and uid in self.received:
            match = Dataset()
            match.SOPInstanceUID = uid
            yield 0xFF00, match
        yield 0x0000, None

    def on_accepted(self, _event: Event) -> None:
        self.associations += 1


@contextmanager
def archive(
    pacs: Pacs | None = None, *, syntaxes: Sequence[str] = AllTransferSyntaxes, callers: Sequence[str] = ()
) -> Iterator[Pacs]:
    pacs = pacs or Pacs()
    _config.LOG_HANDLER_LEVEL = "none"
    entity = AE("PACS")
    entity.require_called_aet = True
    entity.require_calling_aet = list(callers)
    entity.add_supported_context(VERIFICATION)
    entity.add_supported_context(STUDY_ROOT_FIND)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), list(syntaxes))
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_C_STORE, pacs.on_store),
        (evt.EVT_C_FIND, pacs.on_find),
        (evt.EVT_DATA_RECV, pacs.on_data),
        (evt.EVT_ACCEPTED, pacs.on_accepted),
    ]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    pacs.port = server.server_address[1]
    try:
        yield pacs
    finally:
        threading.Timer(0.02, _knock, [pacs.port]).start()
        entity.shutdown()


def _knock(port: int) -> None:
    """Wake a server that is asked to stop: it looks only twice a second otherwise."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        pass


@contextmanager
def silent_server() -> Iterator[Pacs]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []
        accepting = threading.Thread(target=_hold, args=(server, held), daemon=True)
        accepting.start()
        yield Pacs(port=server.getsockname()[1])
        for connection in held:
            connection.close()


def _hold(server: socket.socket, held: list[socket.socket]) -> None:
    while True:
        try:
            held.append(server.accept()[0])
        except OSError:
            return


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def our_config(folder: Path) -> Config:
    return Config.model_validate({"folder": folder, "node": {"ae_title": "NODE"}})
