"""A running node as its users start it: `dicom-node serve` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import func, select

from dicom_node.catalog import Catalog, Instance, Stack
from dicom_node.config import Config, Peer, load_config
from dicom_node.status import read_status

PROGRAM = Path(sys.executable).with_name("dicom-node")
_STOP_S = 30.0


class RunningNode:
    """`with RunningNode(path of config.toml) as node`; what it logs is kept in a file beside it."""

    def __init__(self, config_path: Path, environment: Mapping[str, str] | None = None) -> None:
        self.config: Config = load_config(config_path)
        self.catalog = Catalog(self.config.catalog_url)
        self._path = config_path
        self._environment = environment  # of its processes; None is this process's own
        self._log_path = config_path.with_name("node.log")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        before = self.log().count(" listens on ")
        self._process = self.beside("serve", self._log_path)
        self.wait(lambda: self.log().count(" listens on ") > before, 120, "the node to listen")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGTERM)
        self.catalog.close()

    def beside(self, command: str, log_path: Path) -> subprocess.Popen[bytes]:
        """Start a command of the program on the same configuration; what it says is added to a file."""
        words: list[str | Path] = [PROGRAM, command, "--config", self._path]
        with log_path.open("ab") as log:
            return subprocess.Popen(words, stderr=log, stdout=log, env=self._environment)

    @property
    def pid(self) -> int:
        """The supervisor's process id, 0 before it was started."""
        return self._process.pid if self._process is not None else 0

    def end(self, number: signal.Signals) -> None:
        """Send the supervisor a signal and wait for its end."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_STOP_S)

    @property
    def peer(self) -> Peer:
        """The node, as something to send to."""
        node = self.config.node
        return Peer(ae_title=node.ae_title, host=node.host, port=node.port)

    def log(self) -> str:
        """Return everything that it has logged."""
        return self._log_path.read_text() if self._log_path.exists() else ""

    def kill(self, part: str) -> None:
        """Kill -9 a part of the node, "receiver" or "worker"."""
        os.kill(int(re.findall(rf"{part} is up, process (\d+)", self.log())[-1]), signal.SIGKILL)

    def times_up(self, part: str) -> int:
        """Return how often a part has come up."""
        return len(re.findall(rf"{part} is up", self.log()))

    def settle(self, instances: int, timeout_s: float = 240.0) -> list[Stack]:
        """Wait until so many instances are there and every stack has an end; returns the stacks."""

        def settled() -> bool:
            status = read_status(self.catalog)
            waiting = sum(count for (_, state), count in status.deliveries.items() if state in ("waiting", "sending"))
            return status.instances >= instances and status.unfinished == 0 and waiting == 0

        self.wait(settled, timeout_s, "every stack to end")
        return self.stacks()

    def stacks(self) -> list[Stack]:
        """Return every stack."""
        with self.catalog.read() as session:
            return list(session.scalars(select(Stack)).all())

    def instances(self) -> set[str]:
        """Return the SOP Instance UID of everything that it has registered."""
        with self.catalog.read() as session:
            return set(session.scalars(select(Instance.uid)).all())

    def count(self) -> int:
        """Return how many instances are registered."""
        with self.catalog.read() as session:
            return session.scalars(select(func.count()).select_from(Instance)).one()

    def wait(self, holds: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait until something holds.

        Raises TimeoutError, with the end of the log.
        """
        deadline = time.monotonic() + timeout_s
        while not holds():
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout_s:g} s for {what}; the log ends:\n{self.log()[-4000:]}")
            time.sleep(0.2)
