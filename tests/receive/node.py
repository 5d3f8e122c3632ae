"""A running receiver and what tests ask of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydicom import Dataset, FileDataset
from pynetdicom import AE, _config, build_context, evt
from pynetdicom.association import Association
from pynetdicom.dsutils import split_dataset
from pynetdicom.events import Event, EventHandlerType
from sqlalchemy import func, select

from dicom_node.catalog import Base, Catalog, Instance
from dicom_node.config import Config
from dicom_node.deliver.calling import keep_answers
from dicom_node.receive.file_head import Seal, file_head
from dicom_node.receive.receiver import Receiver
from dicom_node.receive.registrar import Registrar
from tests.support.dicom import data_set_bytes, encoded

_config.STORE_SEND_CHUNKED_DATASET = True  # files are sent as they lie, without decoding

Contexts: TypeAlias = Iterable[tuple[str, str | list[str]]]

Row = TypeVar("Row", bound=Base)


@dataclass(frozen=True)
class Site:
    folder: Path
    config: Config
    catalog: Catalog
    receiver: Receiver

    def rows(self, table: type[Row]) -> list[Row]:
        with self.catalog.read() as session:
            return list(session.scalars(select(table)))

    def count(self, table: type[Base]) -> int:
        with self.catalog.read() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def registered(self, count: int) -> list[Instance]:
        eventually(lambda: self.count(Instance) == count)
        return self.rows(Instance)

    def association(
        self, contexts: Contexts, calling: str = "SCANNER", called: str = "NODE"
    ) -> AbstractContextManager[Association]:
        return associated(self.receiver.port, contexts, calling, called)

    def store(self, datasets: Sequence[Dataset], calling: str = "SCANNER") -> list[int]:
        """Send data sets over one association; return their statuses."""
        contexts = {(str(one.SOPClassUID), str(one.file_meta.TransferSyntaxUID)) for one in datasets}
        with self.association(contexts, calling) as association:
            assert association.is_established
            return [association.send_c_store(one).Status for one in datasets]

    def store_file(self, file: bytes, calling: str = "SCANNER") -> Dataset:
        """Send a file's bytes as they are, whatever is wrong with them; return the response's status."""
        path = self.folder / "to_send.dcm"
        path.write_bytes(file)
        meta, _ = split_dataset(path)
        context = (meta["MediaStorageSOPClassUID"].value, meta["TransferSyntaxUID"].value)
        try:
            with self.association([context], calling) as association:
                return association.send_c_store(path)
        finally:
            path.unlink()


@contextmanager
def associated(
    port: int, contexts: Contexts, calling: str = "SCANNER", called: str = "NODE", address: str = "127.0.0.1"
) -> Iterator[Association]:
    """Hold an association from one of this machine's addresses."""
    entity = AE(calling)
    requested = [build_context(*context) for context in contexts]
    handlers: list[EventHandlerType] = [(evt.EVT_CONN_OPEN, _send_at_once)]
    association = entity.associate(
        "127.0.0.1", port, requested, ae_title=called, evt_handlers=handlers, bind_address=(address, 0)
    )
    keep_answers(association)
    try:
        yield association
    finally:
        association.release()
        if association.is_alive():
            association.join(5)


def altered(file: bytes, old: str, new: str) -> bytes:
    """Return a file with the last occurrence of a text replaced; its lengths stay right."""
    head, found, tail = file.rpartition(old.encode())
    assert found
    assert len(old) == len(new)
    return head + new.encode() + tail


def configure(
    folder: Path, min_free_gb: float = 0.0, ready_mb: int = 512, decode_timeout_s: float = 60.0, **node: object
) -> Config:
    return Config.model_validate(
        {
            "folder": folder,
            "node": {"ae_title": "NODE", "port": 0, **node},
            "storage": {"folder": folder, "min_free_gb": min_free_gb, "ready_mb": ready_mb},
            "workers": {"decode_timeout_s": decode_timeout_s},
        }
    )


@contextmanager
def running(
    folder: Path, min_free_gb: float = 0.0, ready_mb: int = 512, decode_timeout_s: float = 60.0, **node: object
) -> Iterator[Site]:
    config = configure(folder, min_free_gb, ready_mb, decode_timeout_s, **node)
    catalog = Catalog(config.catalog_url)
    catalog.migrate()
    receiver, registrar = Receiver(config), Registrar(config, catalog)
    receiver.start()
    registrar.start()
    try:
        yield Site(folder, config, catalog, receiver)
    finally:
        receiver.stop()
        registrar.stop()
        catalog.close()


def _send_at_once(event: Event) -> None:
    transport = event.assoc.dul.socket
    assert transport is not None
    assert transport.socket is not None
    transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def eventually(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def received(
    path: Path, dataset: FileDataset, *, is_sealed: bool = True, calling: str = "CT1", address: str = ""
) -> bytes:
    """Write an object as a receiver does, and return the file's bytes."""
    head = file_head(
        sop_class=dataset.SOPClassUID,
        instance=dataset.SOPInstanceUID,
        transfer_syntax=dataset.file_meta.TransferSyntaxUID,
        calling=calling,
        called="NODE",
        address=address,
    )
    data_set = data_set_bytes(encoded(dataset))
    path.write_bytes(head + data_set)
    seal = Seal(head)
    seal.add(memoryview(data_set))
    if is_sealed:
        with path.open("r+b") as file:
            seal.put(file.fileno())
    return path.read_bytes()
