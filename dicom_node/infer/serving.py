"""The model process's own end of the pipe: it imports the frameworks and keeps the models warm."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from dicom_node.config import Config
from dicom_node.errors import DicomNodeError, ObjectError, RefusalError, WeightsError
from dicom_node.findings import save_findings
from dicom_node.images import Stack
from dicom_node.infer.engine import Engine
from dicom_node.processes import end_with_parent, set_up_log

_log = logging.getLogger(__name__)


def serve(connection: Connection, config: Config) -> None:
    """Answer requests until the other end closes the pipe."""
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
        return engine.refusal(name, stack)
    except DicomNodeError as error:
        return str(error)


def _problem_of(engine: Engine, name: str) -> str:
    try:
        engine.load(name)
    except DicomNodeError as error:
        return str(error)
    return ""
