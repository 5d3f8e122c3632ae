"""The node: a supervisor, under it receivers, the registrar and a work process, under that the models."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from dicom_node.config import Config
from dicom_node.errors import BootError, CatalogAwayError, ConfigError
from dicom_node.logs import set_up_log
from dicom_node.modes import protect_folder, set_umask
from dicom_node.processes import AWAY, start
from dicom_node.receive.association_table import AssociationTable
from dicom_node.receive.listening import listen
from dicom_node.supervision import Supervision
from dicom_node.work.worker_process import work as run_worker

_log = logging.getLogger(__name__)
_BOOT_S = 180.0
_RESTART_S = 0.5
_CATALOG_S = 2.0  # between attempts at a catalog that is away
_STOP_S = 15.0


class _LaterError(BootError):
    """A part did not come up, and may do so later; objects are received meanwhile."""


@dataclass(slots=True)
class _Part:
    """One supervised process."""

    name: str
    module: str
    is_receiver: bool = False  # takes connections, and needs no catalog
    process: subprocess.Popen[bytes] | None = None
    connection: Connection | None = None  # ends with the process
    started_at: float = 0.0
    restart_s: float = _RESTART_S


class Node:
    """Starts the parts, restarts one that dies, stops them all in the end."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._listener: socket.socket | None = None
        self._table = AssociationTable(config.node.max_associations)
        registrar = _Part("registrar", "dicom_node.receive.registrar_process")
        self._parts = [registrar, *_receivers(config), _Part("worker", "dicom_node.work.worker_process")]
        self._stopped = threading.Event()
        self._wake_up, self._woken = multiprocessing.Pipe(duplex=False)
        self._supervision = Supervision(config, lost=self.stop)
        self._away = ""  # why the catalog cannot be opened yet, as it was last said

    def start(self) -> None:
        """Bring the tables up to date and start every part; while the catalog is away, only those that receive.

        Raises:
            BootError: another supervisor runs this node, the port cannot be listened on, the objects are not where the
                catalog has them, or a part ended before it was ready; all are stopped again.
            CatalogError: the catalog cannot be used.
        """
        try:
            protect_folder(self._config)
            self._supervision.lock_folder()
            self._listener = _listen(self._config)
            self._open_catalog()
            for part in self._startable():
                self._begin(part)
        except Exception:
            self._end_all()
            raise

    def run(self) -> None:
        """Watch over the parts until `stop` is called from another thread or a signal handler.

        Raises:
            BootError: the catalog was away at the start, and another supervisor has it now.
            CatalogError: the catalog was away at the start, and cannot be used.
        """
        try:
            while not self._stopped.is_set():
                if not self._supervision.is_open:
                    self._open_catalog_late()
                self._watch()
        finally:
            self._end_all()

    def _watch(self) -> None:
        """Wait until a part ends, or the catalog is to be tried again, and start again what is not there."""
        connections = {part.connection: part for part in self._parts if part.connection is not None}
        absent = [part for part in self._startable() if part.connection is None]  # could not even be begun
        pause_s = None if self._supervision.is_open else _CATALOG_S
        ended = wait([self._wake_up, *connections], 0 if absent else pause_s)
        for part in (*absent, *(connections[one] for one in ended if one in connections)):
            if not self._stopped.is_set():
                self._restart(part)

    def _open_catalog(self) -> None:
        try:
            self._supervision.open_catalog()
        except CatalogAwayError as error:
            if str(error) != self._away:
                _log.warning("%s; objects are received meanwhile, and it is tried again every %g s", error, _CATALOG_S)
            self._away = str(error)

    def _open_catalog_late(self) -> None:
        self._open_catalog()
        if self._supervision.is_open:
            for part in self._startable():
                if not part.is_receiver:
                    self._begin(part)

    def _startable(self) -> list[_Part]:
        return [part for part in self._parts if part.is_receiver or self._supervision.is_open]

    def _begin(self, part: _Part) -> None:
        try:
            self._start(part)
        except _LaterError as error:  # it has ended, or is about to, and is started again by `run`
            _log.warning("%s; objects are received meanwhile", error)

    def stop(self) -> None:
        """Let `run` end; may be called from a signal handler or another thread."""
        self._stopped.set()
        self._woken.send_bytes(b"stop")

    def _end_all(self) -> None:
        for part in reversed(self._parts):
            _end(part)
        if self._listener is not None:
            self._listener.close()
        self._table.close()
        self._supervision.close()

    def pid_of(self, name: str) -> int | None:
        """Return the process id of a part, None while it is down."""
        part = next(part for part in self._parts if part.name == name)
        return part.process.pid if part.process is not None else None

    def _start(self, part: _Part) -> None:
        part.started_at = time.monotonic()
        try:
            shared = (self._listener, self._table) if part.is_receiver and self._listener else ()
            part.process, part.connection = start(part.name, part.module, self._config, shared=shared)
        except OSError as error:  # no memory for a process, or it was killed as it began
            raise BootError(f"the {part.name} cannot start: {error.strerror}") from error
        if part.connection not in wait([part.connection, self._wake_up], _BOOT_S):
            if self._stopped.is_set():  # nobody waits for it any more
                return
            part.process.kill()  # its connection ends, so that it is started again
            late = BootError if part.is_receiver else _LaterError
            raise late(f"the {part.name} was not ready within {_BOOT_S:g} s")
        try:
            problem = part.connection.recv_bytes().decode()
        except (EOFError, OSError):  # also a connection reset: it was killed while it started
            problem = "ended without a word"
        if problem.startswith(AWAY):
            raise _LaterError(f"the {part.name} cannot start yet: {problem.removeprefix(AWAY)}")
        if problem:
            raise BootError(f"the {part.name} cannot start: {problem}")
        _log.info("%s is up, process %d", part.name, part.process.pid)

    def _restart(self, part: _Part) -> None:
        """Start a dead part again, after a pause that doubles while it keeps dying young."""
        lived_s = time.monotonic() - part.started_at
        longest_s = self._config.node.restart_max_s
        part.restart_s = _RESTART_S if lived_s > longest_s else min(part.restart_s * 2, longest_s)
        process, exit_code = part.process, _end(part)
        if process is not None:
            self._table.forget_process(process.pid)
        _log.error("%s ended with exit code %s; it is started again", part.name, exit_code)
        if self._stopped.wait(part.restart_s):
            return
        try:
            self._start(part)
        except BootError as error:
            _log.error("%s", error)  # its own process has said where


def _end(part: _Part) -> int | None:
    """End a part's process and return its exit code, None where it has none."""
    process, part.process = part.process, None
    connection, part.connection = part.connection, None
    if process is None or connection is None:
        return None
    with connection, process:  # closes its standard input and waits
        process.terminate()
        try:
            return process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _listen(config: Config) -> socket.socket:
    host, port = config.node.host, config.node.port
    try:
        return listen(host, port)
    except OSError as error:
        said = os.strerror(error.errno) if error.errno else error.strerror  # an event loop adds the address to its own
        raise BootError(f"[node] {host}:{port} cannot be listened on: {said}") from error


def _receivers(config: Config) -> list[_Part]:
    names = ["receiver", *(f"receiver-{number}" for number in range(2, config.node.receiver_count + 1))]
    return [_Part(name, "dicom_node.receive.receiver_process", is_receiver=True) for name in names]


def work(config: Config) -> None:
    """Run one more work process in this process until SIGTERM or SIGINT, for a node that runs here or elsewhere.

    Raises ConfigError on SQLite, which only the processes of one node can share.
    """
    if config.catalog_url.startswith("sqlite") or config.work_url.startswith("sqlite"):
        raise ConfigError("a further work process needs [database] catalog and work on PostgreSQL")
    set_up_log(config)
    set_umask(config)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    run_worker(config, stopped, lambda: _log.info("a further work process is up"))


def serve(config: Config) -> None:
    """Run the node in this process until SIGTERM or SIGINT."""
    set_up_log(config)
    set_umask(config)
    node = Node(config)
    signals: dict[int, Any] = {number: lambda *_: node.stop() for number in (signal.SIGTERM, signal.SIGINT)}
    node.start()
    for number, handler in signals.items():
        signal.signal(number, handler)
    _log.info("%s listens on %s:%d", config.node.ae_title, config.node.host, config.node.port)
    node.run()
