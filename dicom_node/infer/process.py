"""A process of its own for the models, spoken to over a pipe; its death fails one run and nothing else."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from dicom_node.config import Config
from dicom_node.errors import DicomNodeError, ModelError, ObjectError, RefusalError, WeightsError
from dicom_node.findings import save_findings
from dicom_node.images import Stack
from dicom_node.infer.engine import Engine
from dicom_node.processes import end_with_parent, set_up_log

_log = logging.getLogger(__name__)
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
            self._process = context.Process(target=_serve, args=(theirs, self._config), name="models")
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


def _serve(connection: Connection, config: Config) -> None:
    end_with_parent()
    set_up_log(config)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor ends us; a terminal's ^C goes to all
    os.nice(config.workers.nice)
    torch.set_num_threads(config.workers.threads or max(1, (os.cpu_count() or 2) - 1))
    engine = Engine(config)
    connection.send_bytes(b"ready")
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except EOFError:
            return
        connection.send_bytes(json.dumps(_answer(engine, config, request)).encode())


def _answer(engine: Engine, config: Config, request: Mapping[str, Any]) -> dict[str, str]:
    if request["do"] == "check":
        return {name: _problem_of(engine, name) for name in config.pipelines}
    stack = Stack.from_json(request["stack"])
    if request["do"] == "refusals":
        declined = {name: _refusal_of(engine, name, stack) for name in config.pipelines}
        return {name: why for name, why in declined.items() if why}
    return _run(engine, request["pipeline"], stack, Path(request["out"]))


def _run(engine: Engine, name: str, stack: Stack, out: Path) -> dict[str, str]:
    try:
        pipeline = engine.pipeline(name)
        claim, because = pipeline.claim(stack)
        said = {"title": pipeline.title, "claim": claim, "claim_because": because}
        try:
            save_findings(engine.run(name, stack), out)
        except (RefusalError, ObjectError) as error:
            return {"refused": str(error), **said}
        except WeightsError as error:
            return {"problem": f"not run: {error}", **said}
    except DicomNodeError as error:
        return {"failed": str(error)}
    except Exception as error:  # noqa: BLE001  # the process boundary: the run fails with this reason
        _log.warning("%s failed on series %s: %s", name, stack.series_uid, type(error).__name__)
        return {"failed": f"{type(error).__name__}: {error}"}
    return said


def _refusal_of(engine: Engine, name: str, stack: Stack) -> str:
    try:
        return engine.pipeline(name).refuse(stack) or ""
    except DicomNodeError as error:
        return str(error)


def _problem_of(engine: Engine, name: str) -> str:
    try:
        engine.load(name)
    except DicomNodeError as error:
        return str(error)
    return ""
