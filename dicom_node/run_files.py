"""`dicom-node run`: asks a process of its own, which has the limits of memory and time of a node's model process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dicom_node.config import Config
from dicom_node.errors import ModelError
from dicom_node.infer.child import Child

_PROCESS = "dicom_node.run_process"  # by name: it imports torch, which who asks starts without


def run_files(config: Config, pipeline: str, request: Mapping[str, Any]) -> list[str]:
    """Run a pipeline on files as `request` says: path, out, weights by role, raw; returns what was written.

    Raises:
        ModelError: what went wrong, or how the process ended: beyond a limit.
    """
    child = Child("run", _PROCESS, config)
    try:
        answer, _ = child.ask(pipeline, {"pipeline": pipeline, **request})
    finally:
        child.close()
    if "problem" in answer:
        raise ModelError(answer["problem"])
    return list(answer["files"])
