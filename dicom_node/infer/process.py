"""A process of its own for the models, spoken to over a pipe; its death fails one run and nothing else."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dicom_node.config import Config
from dicom_node.errors import ModelError
from dicom_node.images import Stack

_SERVER = "dicom_node.infer.serving"
_BOOT_S = 120.0  # importing the frameworks on a busy machine


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request: findings are on disk, or `refused` or `problem` says why not."""

    title: str = ""  # the pipeline's, for people
    refused: str = ""  # the pipeline or the images' geometry declined
    problem: str = ""  # e.g. "no weights for liver_ct: ..."
    claim: str = ""  # what the header says to a gate's question
    claim_because: str = ""


class ModelProcess:
    """The client's end. Starts the process when first asked, and again after it died; one request at a time."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def check(self) -> Mapping[str, str]:
        """Return, per pipeline, "" or what is wrong with its section or weights."""
        problems: Mapping[str, str] = self._ask({"do": "check"}, _BOOT_S)
        return problems

    def refusals(self, stack: Stack) -> Mapping[str, str]:
        """Return why pipelines decline a stack from its header alone, by pipeline; the others are left out.

        Raises ModelError when the process died.
        """
        declined: Mapping[str, str] = self._ask({"do": "refusals", "stack": stack.to_json()}, _BOOT_S)
        return declined

    def run(self, pipeline: str, stack: Stack, out: Path) -> Answer:
        """Run one pipeline on one stack; findings are written to `out` by rename.

        Raises:
            ModelError: the model raised, took longer than its `timeout_s`, or its process died.
        """
        timeout_s = self._config.pipelines[pipeline].timeout_s
        request = {"do": "run", "pipeline": pipeline, "stack": stack.to_json(), "out": str(out)}
        answer = self._ask(request, timeout_s)
        if "failed" in answer:
            raise ModelError(answer["failed"])
        return Answer(**answer)

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.terminate()
            self._process.join(5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        self._process = self._connection = None

    def _ask(self, request: Mapping[str, Any], timeout_s: float) -> Any:
        with self._lock:
            what = request.get("pipeline", request["do"])
            try:
                connection, process = self._running()
                connection.send_bytes(json.dumps(request).encode())
                if not wait([connection, process.sentinel], timeout_s):
                    self.close()
                    raise ModelError(f"{what}: no answer within {timeout_s:g} s; its process was ended")
                return json.loads(connection.recv_bytes())
            except (EOFError, OSError) as error:
                raise ModelError(f"{what}: the model process {self._end()}") from error

    def _end(self) -> str:
        """Clear a dead process away and say how it ended."""
        exit_code = None
        if self._process is not None:
            self._process.join(10)
            exit_code = self._process.exitcode
        self.close()
        return _how_it_ended(exit_code)

    def _running(self) -> tuple[Connection, BaseProcess]:
        if self._process is None or self._connection is None or not self._process.is_alive():
            self.close()
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_enter, args=(theirs, self._config), name="models")
            self._process.start()
            theirs.close()
            if not self._connection.poll(_BOOT_S):
                self.close()
                raise ModelError(f"the model process did not start within {_BOOT_S:g} s")
            self._connection.recv_bytes()
        return self._connection, self._process


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is None:
        return "stopped answering"
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"ended with exit code {exit_code}"


def _enter(connection: Connection, config: Config) -> None:
    """Start serving in the new process; by name, since the frameworks must not be imported by the one that asks."""
    importlib.import_module(_SERVER).serve(connection, config)
