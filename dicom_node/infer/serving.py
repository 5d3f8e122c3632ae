"""The model process's own end of the pipe: it imports the frameworks and keeps the models warm."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dicom_node.bounds import end_after, limit_memory
from dicom_node.config import Config
from dicom_node.errors import DicomNodeError, ObjectError, RefusalError, WeightsError
from dicom_node.findings import save_findings
from dicom_node.images import Stack
from dicom_node.imaging.decoder_messages import capture_decoder_messages
from dicom_node.infer.attached import answer_all, threads
from dicom_node.infer.engine import Engine
from dicom_node.infer.messages import NO_ARRAYS
from dicom_node.processes import attached

_log = logging.getLogger(__name__)
_NO_MEMORY = "more memory was needed than [workers] max_memory_gb allows"


def main() -> None:
    """Answer requests until the other end closes the pipe."""
    capture_decoder_messages()
    connection, config = attached()
    os.nice(config.workers.nice)
    limit_memory(config.workers)
    torch.set_num_threads(threads(config))
    engine = Engine(config, partial(end_after, config.workers.decode_timeout_s))
    answer_all(connection, lambda request, _arrays: (_answer(engine, config, request), NO_ARRAYS))


def _answer(engine: Engine, config: Config, request: Mapping[str, Any]) -> dict[str, Any]:
    if request["do"] == "check":
        return {"problem": _problem_of(engine, request["pipeline"])}
    if request["do"] == "answers":
        return _answers(engine)
    stack = Stack.from_json(request["stack"])
    if request["do"] == "refusals":
        declined = {name: _refusal_of(engine, name, stack) for name in config.pipelines}
        return {name: why for name, why in declined.items() if why}
    return _run(engine, request["pipeline"], stack, Path(request["out"]))


def _run(engine: Engine, name: str, stack: Stack, out: Path) -> dict[str, str]:
    try:
        pipeline = engine.pipeline(name)
        claim, because = engine.claim(name, stack)
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
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {"full": str(error.strerror)}
        _log.warning("%s failed on series %s: %s", name, stack.series_uid, type(error).__name__)
        return {"failed": _NO_MEMORY if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"}
    return said


def _answers(engine: Engine) -> dict[str, Any]:
    try:
        return {"answers": engine.answers()}
    except DicomNodeError as error:
        return {"problem": str(error)}


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


if __name__ == "__main__":
    main()
