"""`dicom-node explain`: what would run on files on disk, and why."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from dicom_node.config import Config
from dicom_node.errors import ModelError, ObjectError
from dicom_node.findings import load_findings
from dicom_node.images import Stack
from dicom_node.imaging import dicom_files, split
from dicom_node.infer.process import ModelProcess
from dicom_node.routing import Decision, GateAnswer, Given, decide, gates_for, set_aside
from dicom_node.work.judging import gate_answer


def explain(config: Config, path: Path) -> Iterator[tuple[Stack, Decision]]:
    """Yield every stack among the files at path with its decision; gates run, pipelines do not.

    Raises:
        ObjectError: an object that cannot be read, by name.
    """
    models = ModelProcess(config)
    given = Given(datetime.now(UTC).date())
    try:
        for stack in stacks_at(path):
            if set_aside(config, stack, given):
                yield stack, decide(config, stack, {}, given)
                continue
            answers = dict(_ask_gates(config, models, stack))
            yield stack, decide(config, stack, answers, replace(given, refusals=models.refusals(stack)))
    finally:
        models.close()


def stacks_at(path: Path) -> Iterator[Stack]:
    """Yield the stacks of every series among the files at path."""
    series: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for file in dicom_files(path):
        try:
            header = dcmread(file, specific_tags=["StudyInstanceUID", "SeriesInstanceUID"], stop_before_pixels=True)
            series[header.StudyInstanceUID, header.SeriesInstanceUID].append((str(file), ""))
        except (InvalidDicomError, AttributeError) as error:
            raise ObjectError(str(file), f"no DICOM object with a study and a series: {error}") from error
    for (study_uid, series_uid), files in series.items():
        found = split(study_uid, series_uid, files)
        for name, why in found.unreadable:
            raise ObjectError(name, why)
        yield from found.stacks


def _ask_gates(config: Config, models: ModelProcess, stack: Stack) -> Iterator[tuple[str, GateAnswer]]:
    with tempfile.TemporaryDirectory() as folder:
        for name in gates_for(config, stack):
            out = Path(folder) / f"{name}.npz"
            try:
                answer = models.run(config.gates[name].pipeline, stack, out)
            except ModelError as error:
                yield name, GateAnswer(problem=str(error))
            else:
                yield name, gate_answer(name, answer, load_findings(out) if out.exists() else None)
