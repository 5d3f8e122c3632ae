"""The servers that take part, each in processes of its own: ours, Orthanc, storescp, and two that keep nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import func, select

from benchmarks.receiving.corpus import read_digests
from dicom_node.catalog import Catalog, Instance
from dicom_node.config import Config
from dicom_node.demo.orthanc import Orthanc, free_port
from dicom_node.processes import HasFileno, start
from dicom_node.receive.association_table import AssociationTable
from dicom_node.receive.listening import listen

_TICKS = os.sysconf("SC_CLK_TCK")
_REST_S = 2.5  # longer than it takes until a push counts as over
_TUNED = {"TCP_NODELAY": "1"}  # dcmtk's own variable: Nagle's algorithm off


class Server:
    """One server: `with Server(folder) as server`."""

    name = ""
    ae_title = "ANY"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        folder.mkdir(parents=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return []

    def settle(self, count: int) -> None:
        """Wait until so many objects in all have been dealt with behind the answers too."""

    def rest(self) -> None:
        """Wait until it does nothing any more, so that the next server has the machine to itself."""

    def cpu_s(self) -> float:
        """Processor seconds that its processes, living and ended, have used."""
        return sum(_cpu_s(pid) for pid in self.pids)

    def peak_mb(self, pids: Sequence[int] = ()) -> float:
        """Return the largest resident size of one of its processes, or of those named."""
        return max(_peak_mb(pid) for pid in pids or self.pids)

    def digests(self) -> Iterator[tuple[str, str]]:
        """Yield what it has stored."""
        return read_digests(self.folder)

    def _wait_for_port(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError(f"{self.name} does not listen")


LIMITS = {f"max_associations{of}": 240 for of in ("", "_per_caller", "_per_address")}


class Ours(Server):
    """Receivers and the registrar as the node runs them; durable."""

    name, ae_title = "dicom-node", "NODE"
    ready_mb = 512

    def __enter__(self) -> Self:
        node = {"ae_title": self.ae_title, "port": self.port, **LIMITS}
        storage = {"folder": self.folder, "min_free_gb": 1, "ready_mb": self.ready_mb}
        self.config = Config.model_validate(
            {"folder": self.folder, "node": node, "storage": storage, "log": {"level": "ERROR"}}
        )
        self.catalog = Catalog(self.config.catalog_url)
        self.catalog.migrate()
        self.prepare()
        with listen("127.0.0.1", self.port) as listener:
            table = AssociationTable(self.config.node.max_associations)
            self._parts = [
                self._start("registrar"),
                *(self._start("receiver", listener, table) for _ in range(self.config.node.receiver_count)),
            ]
            table.close()
        for _, connection in self._parts:
            if problem := connection.recv_bytes():
                raise RuntimeError(problem.decode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, connection in self._parts:
            process.terminate()
            with process, connection:
                process.wait()
        self.catalog.close()
        super().__exit__(kind, error, trace)

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return [process.pid for process, _ in self._parts]

    def _start(self, name: str, *shared: HasFileno) -> tuple[subprocess.Popen[bytes], Connection]:
        return start(name, f"dicom_node.receive.{name}_process", self.config, shared=shared)

    def prepare(self) -> None:
        """Do what a case needs before the start."""

    @property
    def receiver_pids(self) -> list[int]:
        """Its processes that answer."""
        return self.pids[1:]

    def settle(self, count: int) -> None:
        """Wait until so many objects have their row."""
        deadline = time.monotonic() + 120
        while self._registered() < count:
            if time.monotonic() > deadline:
                raise TimeoutError("not everything was registered")
            time.sleep(0.02)

    def rest(self) -> None:
        """Wait until no more files are made ready for the next push."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < _REST_S:
            ready = sum(len(names) for _, _, names in os.walk(self.folder / "ready"))
            if ready != seen:
                seen, since = ready, time.monotonic()
            time.sleep(0.1)

    def _registered(self) -> int:
        with self.catalog.read() as session:
            return session.scalar(select(func.count()).select_from(Instance)) or 0


class Unprepared(Ours):
    """Ours, where no files are filled between pushes: how it receives what is more than was made ready."""

    name = "dicom-node, unprepared"
    ready_mb = 0


class OrthancServer(Server):
    """Orthanc with its default durability; `tuned` is Nagle's algorithm off and 128 KiB PDUs."""

    name, ae_title = "Orthanc", "ORTHANC"
    tuned = True

    def __enter__(self) -> Self:
        self._before = {key: os.environ.get(key) for key in _TUNED}
        if self.tuned:
            os.environ.update(_TUNED)
        self._orthanc = Orthanc(self.folder, settings={"MaximumPduLength": 131072} if self.tuned else {}).__enter__()
        for key in _TUNED:
            os.environ.pop(key, None)
        self.port = self._orthanc.dicom_port
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._orthanc.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return [self._orthanc.pid]

    def digests(self) -> Iterator[tuple[str, str]]:
        """Yield what it has stored."""
        return read_digests(self.folder / "storage")


class StockOrthanc(OrthancServer):
    """Orthanc as it comes."""

    name, tuned = "Orthanc, stock", False


class StoreSCP(Server):
    """dcmtk's storescp, one process per association, without sync."""

    name = "storescp"
    options = ("--max-pdu", "131072")
    environment = _TUNED

    def __enter__(self) -> Self:
        program = program_of_dcmtk("storescp")
        command = [program, "--fork", *self.options, "-od", str(self.folder), str(self.port)]
        self._process = subprocess.Popen(command, env={**os.environ, **self.environment})
        self._wait_for_port()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
        super().__exit__(kind, error, trace)

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return [self._process.pid]


class BitPreservingStoreSCP(StoreSCP):
    """Storescp that writes data sets as they come."""

    name = "storescp -B"
    options = ("--max-pdu", "131072", "--bit-preserving")


class StockStoreSCP(StoreSCP):
    """Storescp as it comes."""

    name, options, environment = "storescp, stock", (), {}


class Sink(Server):
    """A server of `benchmarks.receiving.sinks`."""

    which = ""
    ae_title = "NODE"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.receiving.sinks", self.which, str(self.port), str(self.folder)]
        self._process = subprocess.Popen(command)
        self._wait_for_port()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        super().__exit__(kind, error, trace)

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return [self._process.pid]


class NullSink(Sink):
    """Our receiver without a disk: parses, discards, answers."""

    name, which = "null sink", "null"


class RawDiscard(Sink):
    """Reads as many bytes as a request has, and answers."""

    name, which = "raw discard", "raw"


def program_of_dcmtk(name: str) -> str:
    """Return where dcmtk's program is: pynetdicom installs some by the same names beside Python."""
    path = os.pathsep.join(one for one in os.get_exec_path() if Path(one) != Path(sys.executable).parent)
    program = shutil.which(name, path=path)
    if program is None:
        raise FileNotFoundError(f"no {name} of dcmtk on PATH")
    return program


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS  # own and waited-for children's, user and system


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000
