"""The patient's age at the study, where the header has it only as two dates."""

from __future__ import annotations

from datetime import date
from typing import Final

from pydicom import Dataset

_DATE_DIGITS: Final = 8
_DAYS_OF_MONTHS: Final = 3 * 31  # below this an age is said in days,
_MONTHS_OF_YEARS: Final = 24  # and below this in months


def age_at_study(dataset: Dataset) -> str:
    """Return StudyDate less PatientBirthDate as an age string (PS3.5 6.2, AS), "" where a date is absent or impossible.

    The birth date itself identifies the patient and is no fact.
    """
    born, studied = _date(dataset, "PatientBirthDate"), _date(dataset, "StudyDate")
    if born is None or studied is None or studied < born:
        return ""
    months = 12 * (studied.year - born.year) + studied.month - born.month - (studied.day < born.day)
    if (studied - born).days < _DAYS_OF_MONTHS:
        return f"{(studied - born).days:03}D"
    return f"{months:03}M" if months < _MONTHS_OF_YEARS else f"{months // 12:03}Y"


def _date(dataset: Dataset, keyword: str) -> date | None:
    text = str(dataset.get(keyword) or "").strip()
    if len(text) != _DATE_DIGITS or not text.isdecimal():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:  # e.g. 20010231
        return None
