"""The pipelines in a process of their own; its death, twice over, fails one run and nothing else."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dicom_node.config import Config
from dicom_node.errors import ConfigError, ModelDiedError, ModelError
from dicom_node.images import Stack
from dicom_node.infer.child import Child

_log = logging.getLogger(__name__)
_SERVER = "dicom_node.infer.serving"  # by name, since the frameworks must not be imported by the one that asks
_CHECK_S = 120.0  # of one pipeline's weights


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
        self._child = Child("model", _SERVER, config)

    def check(self, pipeline: str) -> str:
        """Return what is wrong with a pipeline's section, weights, device or code, "" where it loads."""
        try:
            return str(self._ask({"do": "check", "pipeline": pipeline}, _CHECK_S)["problem"])
        except ModelError as error:  # its process ended, or it takes too long
            return str(error)

    def answers(self) -> Mapping[str, tuple[str, ...]]:
        """Return what each gate may answer beside "uncertain".

        Raises:
            ConfigError: a gate's pipeline cannot be built, or does not answer the question of the gate's name.
            ModelError: the process died twice.
        """
        said = self._ask({"do": "answers"}, _CHECK_S)
        if "problem" in said:
            raise ConfigError(said["problem"])
        return {gate: tuple(words) for gate, words in said["answers"].items()}

    def refusals(self, stack: Stack) -> Mapping[str, str]:
        """Return why pipelines decline a stack from its header alone, by pipeline; the others are left out.

        Raises ModelError when the process died twice.
        """
        declined: Mapping[str, str] = self._ask({"do": "refusals", "stack": stack.to_json()}, _CHECK_S)
        return declined

    def run(self, pipeline: str, stack: Stack, out: Path) -> Answer:
        """Run one pipeline on one stack; findings are written to `out` by rename.

        Raises:
            ModelError: the model raised, took longer than its `timeout_s`, or its process died twice.
            OSError: the disk is full.
        """
        timeout_s = self._config.pipelines[pipeline].timeout_s
        request = {"do": "run", "pipeline": pipeline, "stack": stack.to_json(), "out": str(out)}
        answer = self._ask(request, timeout_s)
        if "full" in answer:
            raise OSError(errno.ENOSPC, answer["full"])
        if "failed" in answer:
            raise ModelError(answer["failed"])
        return Answer(**answer)

    def close(self) -> None:
        """End the process."""
        self._child.close()

    def _ask(self, request: Mapping[str, Any], timeout_s: float) -> Any:
        """Ask; once more where the process died, for it may have been killed for something else's hunger for memory."""
        what = request.get("pipeline", request["do"])
        try:
            return self._child.ask(what, request, timeout_s=timeout_s)[0]
        except ModelDiedError as error:
            _log.warning("%s; it is asked once more", error)
            return self._child.ask(what, request, timeout_s=timeout_s)[0]
