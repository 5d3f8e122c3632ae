"""What an independent validator says about the objects that the node made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydicom import Dataset, dcmread

from dicom_node.demo.orthanc import Orthanc
from tests.support.validity import errors

_MADE = ("SEG", "SR", "OT", "KO", "PR", "DOC")


def errors_of_ours(orthanc: Orthanc, sources: Iterable[Path], folder: Path) -> list[str]:
    """Return dciodvfy's errors on every result in Orthanc that no source of the same study shows too."""
    by_study: dict[str, set[str]] = {}
    for path in sources:
        study_uid = str(dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
        by_study.setdefault(study_uid, set()).update(errors(path))
    found = []
    for one in orthanc.instances():
        if one.modality in _MADE:
            path = _kept(orthanc.download(one.sop_uid), folder)
            found += [f"{one.modality}: {line}" for line in errors(path) if line not in by_study[one.study_uid]]
    return sorted(set(found))


def _kept(dataset: Dataset, folder: Path) -> Path:
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path
