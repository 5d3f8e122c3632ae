"""What stays of a result whose images were removed: enough to find it at a peer and to reject it there."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread

from dicom_node.results.patient import COMMON, PATIENT, STUDY

_NAMES = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality")


def keep_heading(path: Path) -> None:
    """Leave patient, study and UIDs in a result's file, as they stand there, and nothing of what was found.

    Raises:
        OSError: the file cannot be read or written.
    """
    heading = dcmread(path, stop_before_pixels=True, specific_tags=[*COMMON, *PATIENT, *STUDY, *_NAMES])
    part = path.with_suffix(".part")
    heading.save_as(part, enforce_file_format=True)
    part.replace(path)
