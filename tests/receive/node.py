"""A running receiver and what tests ask of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydicom import Dataset
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from sqlalchemy import func, select

from dicom_node.catalog import Base, Catalog, Instance
from dicom_node.config import Config
from dicom_node.receive import Receiver

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

    @contextmanager
    def association(
        self, contexts: Iterable[tuple[str, str]], calling: str = "SCANNER", called: str = "NODE"
    ) -> Iterator[Association]:
        entity = AE(calling)
        requested = [build_context(*context) for context in contexts]
        association = entity.associate(
            "127.0.0.1",
            self.receiver.port,
            requested,
            ae_title=called,
            evt_handlers=[(evt.EVT_CONN_OPEN, _send_at_once)],
        )
        try:
            yield association
        finally:
            association.release()
            association.join(5)

    def store(self, datasets: Sequence[Dataset], calling: str = "SCANNER") -> list[int]:
        """Send data sets over one association; return their statuses."""
        contexts = {(str(one.SOPClassUID), str(one.file_meta.TransferSyntaxUID)) for one in datasets}
        with self.association(contexts, calling) as association:
            assert association.is_established
            return [association.send_c_store(one).Status for one in datasets]


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
