"""A peer's Error Comment (PS3.7 C, (0000,0902)): kept as it came, logged only with the patient masked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

_MASK = "***"
_LONGEST = 64  # characters of a Long String (PS3.5 6.2)
_SHORT = 3  # letters; what is no longer is masked as a word only, not within others
_PATIENT_GROUP = 0x0010
_IDENTIFYING = frozenset(("AccessionNumber", "StudyID", "StudyDate", "ReferringPhysicianName", "RequestingPhysician"))
_APART = re.compile(r"[\^=\\\s,;]+")


def read_comment(response: Dataset) -> str:
    """Return a response's Error Comment with nothing in it that a terminal would act upon, "" where there is none."""
    text = str(response.get("ErrorComment") or "").strip(" \0")[:_LONGEST]
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def mask_patient(comment: str, path: Path) -> str:
    """Return a comment without the patient values of an object's file; none of it where those cannot be read."""
    try:
        header = dcmread(path, stop_before_pixels=True)
        values = {part for value in _patient_values(header) for part in (value, *_APART.split(value)) if part.strip()}
    except (OSError, InvalidDicomError, ValueError):
        return _MASK
    for value in sorted(values, key=len, reverse=True):
        comment = re.sub(_pattern(value), _MASK, comment, flags=re.IGNORECASE)
    return comment


def _patient_values(header: Dataset) -> Iterator[str]:
    for element in header:
        if (element.tag.group == _PATIENT_GROUP and element.VR != "SQ") or element.keyword in _IDENTIFYING:
            yield from map(str, element.value if element.VM > 1 else [element.value])


def _pattern(value: str) -> str:
    """Return what finds a value: digits also with something between them, as dates and numbers are written."""
    pattern = r"[\W_]?".join(map(re.escape, value)) if value.isdigit() else re.escape(value)
    is_date = value.isdigit() and len(value) == len("YYYYMMDD")
    if is_date:
        year, month, day = value[:4], value[4:6], value[6:]
        pattern = rf"{pattern}|0?{int(day)}\W0?{int(month)}\W{year}|0?{int(month)}\W0?{int(day)}\W{year}"
    return rf"\b(?:{pattern})\b" if len(value) <= _SHORT else f"(?:{pattern})"
