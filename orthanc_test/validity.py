"""What an independent validator says about the objects that the node made."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread

from orthanc_test.orthanc import Orthanc
from tests.support.programs import require

_MADE = ("SEG", "SR", "OT")


def errors_of_ours(orthanc: Orthanc, sources: Iterable[Path], folder: Path) -> list[str]:
    """Return dciodvfy's errors on every result in Orthanc that no source of the same study shows too."""
    require("dciodvfy")
    by_study: dict[str, set[str]] = {}
    for path in sources:
        study_uid = str(dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
        by_study.setdefault(study_uid, set()).update(_errors(path))
    found = []
    for one in orthanc.instances():
        if one.modality in _MADE:
            path = _kept(orthanc.download(one.sop_uid), folder)
            found += [f"{one.modality}: {line}" for line in _errors(path) if line not in by_study[one.study_uid]]
    return sorted(set(found))


def _kept(dataset: Dataset, folder: Path) -> Path:
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def _errors(path: Path) -> Sequence[str]:
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False, timeout=60, errors="replace")
    lines = (said.stdout + said.stderr).splitlines()
    # where in the object an attribute stands is not compared: a source's patient attribute is not in our sequences
    return [re.sub(r"^Error - </[^>]*>+ - ", "Error - ", line) for line in lines if line.startswith("Error")]
