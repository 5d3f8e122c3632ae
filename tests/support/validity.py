"""What two independent validators, dciodvfy and dcentvfy, say about objects that we made."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_node.results.seg import LABEL_MAP_STORAGE
from tests.support.programs import require

UNKNOWN_CLASSES = (LABEL_MAP_STORAGE,)
"""Debian's dciodvfy does not know these; they are proved by being read back."""

_ABOUT_UNKNOWN = {
    "Error - Shall not be present for Referenced SOP Class that is not segmentation",
    "Error - Shall not be present for Referenced SOP Class that is not multi-frame",
}
"""Said of a report that cites a segment or a frame of such a class."""


def errors(path: Path | str) -> list[str]:
    """Return dciodvfy's errors on a file, without the place in the object where each attribute stands."""
    lines = _said("dciodvfy", "-new", str(path))
    return [re.sub(r"^Error - </[^>]*>+ - ", "Error - ", line) for line in lines]


def new_errors(results: Sequence[Path], sources: Iterable[Path]) -> list[str]:
    """Return dciodvfy's errors on results that no source shows too.

    Where in the object an attribute stands is not compared: a source's patient attribute is not in our sequences.
    """
    judged = [path for path in results if not _is_unknown(path)]
    found = [(path, line) for path in judged for line in errors(path)]
    new = {line for _, line in found} - (_ABOUT_UNKNOWN if len(judged) < len(results) else set())
    for path in sources:
        if not new:
            break
        new.difference_update(errors(path))
    return [f"{_kind(path)}: {line}" for path, line in found if line in new]


def entity_errors(paths: Sequence[Path]) -> list[str]:
    """Return what dcentvfy finds amiss between files: attributes of one patient, study or series that differ.

    Deflated files, which it cannot read, are left out.
    """
    read = [path for path in paths if read_file_meta_info(path).TransferSyntaxUID != DeflatedExplicitVRLittleEndian]
    return _said("dcentvfy", *map(str, read)) if len(read) > 1 else []


def ours_and_others(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the DICOM files below a folder that we made, and the others; one of each SOP Instance."""
    ours: dict[str, Path] = {}
    others: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.dcm")):
        try:
            dataset = dcmread(path, stop_before_pixels=True)
        except InvalidDicomError:
            continue
        (ours if _is_ours(dataset) else others).setdefault(str(dataset.SOPInstanceUID), path)
    return list(ours.values()), list(others.values())


def _is_ours(dataset: Dataset) -> bool:
    return any(item.get("DeviceUID") for item in dataset.get("ContributingEquipmentSequence", ()))


def _is_unknown(path: Path) -> bool:
    return dcmread(path, stop_before_pixels=True).SOPClassUID in UNKNOWN_CLASSES


def _kind(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True, specific_tags=["Modality"]).Modality)


def _said(program: str, *arguments: str) -> list[str]:
    require(program)
    command = [program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, errors="replace")
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
