"""`dicom-node explain`: what would run on files on disk, and why."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydicom import dcmread

from dicom_node.config import Config
from dicom_node.errors import ConfigError, ModelError, ObjectError
from dicom_node.findings import load_findings
from dicom_node.images import Stack
from dicom_node.imaging import dicom_files, split
from dicom_node.imaging.headers import naming
from dicom_node.infer.process import ModelProcess
from dicom_node.routing import Decision, GateAnswer, Given, decide, gates_for, impossible_conditions, set_aside
from dicom_node.work.judging import gate_answer


def explain(config: Config, path: Path) -> Iterator[tuple[Stack, Decision] | ObjectError]:
    """Yield every stack among the files at path with its decision, and an error for each object that cannot be read.

    Gates run, pipelines do not. Raises ObjectError where there is no DICOM file at all, ConfigError where a condition
    asks for what its fact never is.
    """
    models = ModelProcess(config)
    given = Given(datetime.now(UTC).date())
    try:
        if never := list(impossible_conditions(config, models.answers() if config.gates else {})):
            raise ConfigError("\n".join(never))
        for found in _found_at(path):
            yield found if isinstance(found, ObjectError) else (found, _decide(config, models, found, given))
    finally:
        models.close()


def stacks_at(path: Path) -> Iterator[Stack]:
    """Yield the stacks of every series among the files at path.

    Raises:
        ObjectError: an object that cannot be read, by name.
    """
    for found in _found_at(path):
        if isinstance(found, ObjectError):
            raise found
        yield found


def _decide(config: Config, models: ModelProcess, stack: Stack, given: Given) -> Decision:
    if set_aside(config, stack, given):
        return decide(config, stack, {}, given)
    answers = dict(_ask_gates(config, models, stack))
    return decide(config, stack, answers, replace(given, refusals=models.refusals(stack)))


def _found_at(path: Path) -> Iterator[Stack | ObjectError]:
    """Yield the stacks of each series, or in their place the objects for which the node would refuse the series."""
    series: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for file in dicom_files(path):
        try:
            series[_series_of(file)].append((str(file), ""))
        except ObjectError as error:
            yield error
    for (study_uid, series_uid), files in series.items():
        found = split(study_uid, series_uid, files)
        yield from [ObjectError(name, why) for name, why in found.unreadable] or found.stacks


def _series_of(file: Path) -> tuple[str, str]:
    """Return the Study and Series Instance UID of a file; raises ObjectError where it names none."""
    with naming(str(file), "its header cannot be read"):
        header = dcmread(file, specific_tags=["StudyInstanceUID", "SeriesInstanceUID"], stop_before_pixels=True)
        uids = str(header.get("StudyInstanceUID") or ""), str(header.get("SeriesInstanceUID") or "")
    if not all(uids):
        raise ObjectError(str(file), "names no Study or Series Instance UID")
    return uids


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
