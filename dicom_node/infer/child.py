"""A process of ours for one framework's models, spoken to over a pipe; `attached` is its own end."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Any

from dicom_node.config import Config
from dicom_node.errors import ModelDiedError, ModelError
from dicom_node.infer.messages import NO_ARRAYS, Arrays, receive, send
from dicom_node.processes import start

_BOOT_S = 120.0  # importing the frameworks on a busy machine
_END_S = 10.0  # between a process's last word and its end

_LIKELY_CAUSES = {
    "SIGKILL": " (out of memory?)",
    "SIGABRT": " (out of memory?)",
    "SIGALRM": ": the pixels were not read within [workers] decode_timeout_s",
}


class Child:
    """The asking end. Starts the process when first asked, and again after it died; one request at a time."""

    def __init__(
        self, name: str, module: str, config: Config, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`module` is run; `environment` is added to ours where it does not say so itself."""
        self._name = name
        self._module = module
        self._config = config
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def ask(
        self, what: str, values: Any, arrays: Arrays = NO_ARRAYS, timeout_s: float | None = None
    ) -> tuple[Any, Arrays]:
        """Send a request and return its answer.

        Raises:
            ModelError: no answer came in time; `what` is named, the next request starts the process anew.
            ModelDiedError: the process died, and so does the next request start it anew.
        """
        with self._lock:
            try:
                connection = self._running()
                send(connection, values, arrays)
                if not connection.poll(timeout_s):
                    self._stop()
                    raise ModelError(f"{what}: no answer within {timeout_s:g} s; its process was ended")
                return receive(connection)
            except (EOFError, OSError) as error:
                raise ModelDiedError(f"{what}: the {self._name} process {self._end()}") from error

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _running(self) -> Connection:
        if self._connection is None or self._process is None or self._process.poll() is not None:
            self._stop()
            self._process, self._connection = start(self._name, self._module, self._config, self._environment)
            if not self._connection.poll(_BOOT_S):
                self._stop()
                raise ModelError(f"the {self._name} process did not start within {_BOOT_S:g} s")
            receive(self._connection)
        return self._connection

    def _end(self) -> str:
        """Clear a dead process away and say how it ended."""
        exit_code = None
        if self._process is not None:
            try:
                exit_code = self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                exit_code = None
        self._stop()
        return _how_it_ended(exit_code)

    def _stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            with self._process:  # closes its standard input and waits
                self._process.kill()
        self._process = self._connection = None


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is None:
        return "stopped answering"
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"was ended by {name}{_LIKELY_CAUSES.get(name, '')}"
    return f"ended with exit code {exit_code}"
