"""Asks the process that compares versions, one pair of files after the other, from a thread that nobody waits for."""

from __future__ import annotations

import logging
import queue
import subprocess
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

from dicom_node.config import Config
from dicom_node.processes import start
from dicom_node.receive.difference import Difference

log = logging.getLogger(__name__)

_MODULE = "dicom_node.receive.comparing_process"
_ATTEMPTS = 2  # at one pair; what the first died of may have been something else's hunger for memory
_END_S = 0.1  # between two attempts at ending the process, which may only just begin
_IDLE_S = 60.0  # after which the process ends

Pair: TypeAlias = tuple[Path, Path]


class Comparer:
    """Knows how pairs of files differ, some time after it was asked; the process lives while it is needed."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._asked: queue.Queue[Pair | None] = queue.Queue()
        self._answers: dict[Pair, Difference | None] = {}  # None where it is yet to come
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="comparing", daemon=True)

    def answer(self, path: Path, other: Path) -> Difference | None:
        """Return how two objects differ, once; None where that is not known yet, and it is asked then."""
        pair = path, other
        if pair not in self._answers:
            self._answers[pair] = None
            self._asked.put(pair)
            if not self._thread.is_alive():
                self._thread.start()
        found = self._answers[pair]
        if found is not None:
            del self._answers[pair]
        return found

    def busy(self) -> set[Path]:
        """Return the files that came about which an answer is yet to come."""
        return {path for (path, _), found in tuple(self._answers.items()) if found is None}

    def close(self) -> None:
        """End, whatever is being compared; it is asked anew by whoever starts next."""
        self._is_closed = True
        self._asked.put(None)
        while self._thread.is_alive():
            if process := self._process:
                process.kill()
            self._thread.join(_END_S)

    def _run(self) -> None:
        while not self._is_closed:
            try:
                pair = self._asked.get(timeout=_IDLE_S)
            except queue.Empty:
                self._end_process()
                continue
            if pair is not None:
                self._answers[pair] = self._compare(pair)
        self._end_process()

    def _compare(self, pair: Pair) -> Difference:
        for _ in range(_ATTEMPTS):
            try:
                return self._ask(pair)
            except (EOFError, OSError):
                self._end_process()
                if self._is_closed:
                    break
                log.warning(
                    "the process that compares versions died, or was ended after its time, over %s", pair[0].name
                )
        return Difference.UNKNOWN

    def _ask(self, pair: Pair) -> Difference:
        if self._connection is None:
            self._process, self._connection = start("comparing", _MODULE, self._config)
        self._connection.send(pair)
        return Difference(self._connection.recv())

    def _end_process(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._connection = None
