"""The patient's age from a stack's facts."""

from __future__ import annotations

from typing import Final

from dicom_node.images import Stack
from dicom_node.patterns import matches_whole

_YEARS: Final = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


def age_years(stack: Stack) -> float | None:
    """Return PatientAge (PS3.5 6.2, AS) in years, or None where the value is absent or malformed."""
    age = stack.text("PatientAge").strip().upper()
    return int(age[:-1]) * _YEARS[age[-1]] if matches_whole(r"\d{1,3}[DWMY]", age) else None
