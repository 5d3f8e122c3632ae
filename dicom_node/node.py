"""The node: a supervisor, under it receivers, the registrar and a work process, under that the models."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from dicom_node.catalog import Catalog
from dicom_node.config import Config
from dicom_node.errors import ConfigError, DicomNodeError
from dicom_node.infer.process import ModelProcess
from dicom_node.processes import end_with_parent, set_up_log
from dicom_node.receive import Receiver, Registrar
from dicom_node.work.worker import Worker

_log = logging.getLogger(__name__)
_BOOT_S = 180.0
_RESTART_S = 0.5
_STOP_S = 15.0
_LOOK_S = 1.0

Target = Callable[[Config, threading.Event, Callable[[], None]], None]


class BootError(DicomNodeError):
    """A part of the node did not come up; the text is its last word."""


@dataclass(slots=True)
class _Part:
    """One supervised process."""

    name: str
    target: Target
    process: BaseProcess | None = None
    started_at: float = 0.0
    restart_s: float = _RESTART_S
    connection: Connection | None = field(default=None, repr=False)


class Node:
    """Starts the parts, restarts one that dies, stops them all in the end."""

    def __init__(self, config: Config) -> None:
        self._config = config
        receivers = [_Part(name, _receive) for name in _receiver_names(config)]
        self._parts = [_Part("registrar", _register), *receivers, _Part("worker", _work)]
        self._stopped = threading.Event()
        self._wake_up, self._woken = multiprocessing.Pipe(duplex=False)

    def start(self) -> None:
        """Bring the tables up to date and start every part.

        Raises:
            BootError: a part ended before it was ready; all are stopped again.
        """
        self._config.storage_folder.mkdir(parents=True, exist_ok=True)
        catalog = Catalog(self._config.catalog_url)
        catalog.migrate()
        catalog.close()
        for part in self._parts:
            try:
                self._start(part)
            except BootError:
                self._end_all()
                raise

    def run(self) -> None:
        """Watch over the parts until `stop` is called from another thread or a signal handler."""
        while not self._stopped.is_set():
            sentinels = [part.process.sentinel for part in self._parts if part.process is not None]
            wait([self._wake_up, *sentinels])
            for part in self._parts:
                if not self._stopped.is_set() and part.process is not None and not part.process.is_alive():
                    self._restart(part, part.process.exitcode)
        self._end_all()

    def stop(self) -> None:
        """Let `run` end; may be called from a signal handler or another thread."""
        self._stopped.set()
        self._woken.send_bytes(b"stop")

    def _end_all(self) -> None:
        for part in reversed(self._parts):
            _end(part)

    def pid_of(self, name: str) -> int | None:
        """Return the process id of a part, None while it is down."""
        part = next(part for part in self._parts if part.name == name)
        return part.process.pid if part.process is not None else None

    def _start(self, part: _Part) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        part.process = context.Process(target=_main, args=(part.target, self._config, theirs), name=part.name)
        part.process.start()
        part.started_at = time.monotonic()
        part.connection = ours
        theirs.close()
        if not ours.poll(_BOOT_S):
            raise BootError(f"the {part.name} was not ready within {_BOOT_S:g} s")
        try:
            problem = ours.recv_bytes().decode()
        except (EOFError, OSError):  # also a connection reset: it was killed while it started
            problem = "ended without a word"
        if problem:
            raise BootError(f"the {part.name} cannot start: {problem}")
        _log.info("%s is up, process %d", part.name, part.process.pid)

    def _restart(self, part: _Part, exit_code: int | None) -> None:
        """Start a dead part again, after a pause that doubles while it keeps dying young."""
        lived_s = time.monotonic() - part.started_at
        longest_s = self._config.node.restart_max_s
        part.restart_s = _RESTART_S if lived_s > longest_s else min(part.restart_s * 2, longest_s)
        _log.error("%s ended with exit code %s; it is started again", part.name, exit_code)
        if self._stopped.wait(part.restart_s):
            return
        try:
            self._start(part)
        except BootError as error:
            _log.error("%s", error)  # its own process has said where


def _end(part: _Part) -> None:
    if part.process is None:
        return
    part.process.terminate()
    part.process.join(_STOP_S)
    if part.process.is_alive():
        part.process.kill()
        part.process.join()


def _main(target: Target, config: Config, connection: Connection) -> None:
    """What every part runs: logging, signals, the watch on the supervisor, and one word when it is ready."""
    end_with_parent()
    set_up_log(config)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's ^C reaches the supervisor too, which ends us in order
    try:
        target(config, stopped, lambda: connection.send_bytes(b""))
    except Exception as error:
        connection.send_bytes(f"{type(error).__name__}: {error}".encode())
        raise


def _receiver_names(config: Config) -> list[str]:
    return ["receiver", *(f"receiver-{number}" for number in range(2, config.node.receiver_count + 1))]


def _receive(config: Config, stopped: threading.Event, ready: Callable[[], None]) -> None:
    _run_until(Receiver(config), stopped, ready)


def _register(config: Config, stopped: threading.Event, ready: Callable[[], None]) -> None:
    _run_until(Registrar(config, Catalog(config.catalog_url)), stopped, ready)


def _run_until(part: Receiver | Registrar, stopped: threading.Event, ready: Callable[[], None]) -> None:
    part.start()
    ready()
    while not stopped.wait(_LOOK_S):
        if not part.is_alive:
            raise RuntimeError("its thread has ended")
    part.stop()


def _work(config: Config, stopped: threading.Event, ready: Callable[[], None]) -> None:
    Worker(config, Catalog(config.catalog_url), ModelProcess(config)).run(stopped, ready)
    # At once, as a crash would: the running job goes on at the next start. In an orderly end it would see its model
    # process or its database vanish first, and record that as the end of its stack.
    os._exit(0)


def work(config: Config) -> None:
    """Run one more work process in this process until SIGTERM or SIGINT, for a node that runs here or elsewhere.

    Raises ConfigError on SQLite, which only the processes of one node can share.
    """
    if config.catalog_url.startswith("sqlite") or config.work_url.startswith("sqlite"):
        raise ConfigError("a further work process needs [database] catalog and work on PostgreSQL")
    set_up_log(config)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    _work(config, stopped, lambda: _log.info("a further work process is up"))


def serve(config: Config) -> None:
    """Run the node in this process until SIGTERM or SIGINT."""
    set_up_log(config)
    node = Node(config)
    signals: dict[int, Any] = {number: lambda *_: node.stop() for number in (signal.SIGTERM, signal.SIGINT)}
    node.start()
    for number, handler in signals.items():
        signal.signal(number, handler)
    _log.info("%s listens on %s:%d", config.node.ae_title, config.node.host, config.node.port)
    node.run()
