"""What went wrong within a job, as one sentence: for a run's reason, a stack's, and `dicom-node explain`."""

from __future__ import annotations

import traceback
from pathlib import Path

from dicom_node.errors import DicomNodeError

_OURS = Path(__file__).parents[1]


def say_fault(error: Exception) -> str:
    """Return the sentence of an error of ours; of any other its type, its words, and the innermost line of ours.

    For example "KeyError: 'SOPClassUID' (results/sources.py:88)".
    """
    if isinstance(error, DicomNodeError):
        return str(error)
    said = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {said}' if said else ''}{say_place(error)}"


def say_place(error: Exception) -> str:
    """Return the innermost line of ours that an error came by, such as " (results/sources.py:88)"; "" without any."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_ours(frame.filename)]
    return f" ({Path(ours[-1].filename).relative_to(_OURS)}:{ours[-1].lineno})" if ours else ""


def _is_ours(file: str) -> bool:
    return Path(file).is_relative_to(_OURS)
