"""Does a C-FIND answer hold what was asked? A PACS that ignores a key returns anybody's studies (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.multival import MultiValue

_OPTIONAL = frozenset({"ModalitiesInStudy"})  # a PACS need not match or return it (PS3.4 Table C.6-5)
_RANGE = re.compile(r"(\d{8})?-(\d{8})?")


def mismatches(keys: Mapping[str, str], answer: Dataset) -> list[str]:
    """Return the keywords of those keys (keyword -> what was asked, with wildcards and ranges) that an answer fails."""
    return [keyword for keyword, wanted in keys.items() if not _is_match(keyword, wanted, texts(answer, keyword))]


def texts(answer: Dataset, keyword: str) -> list[str]:
    """Return the values of an answer's attribute without the blanks around them; none where it is absent or empty."""
    value = answer.get(keyword)
    values = value if isinstance(value, MultiValue | list) else () if value is None else (value,)
    return [text for one in values if (text := _plain(str(one)))]


def _is_match(keyword: str, wanted: str, values: list[str]) -> bool:
    if keyword in _OPTIONAL:
        return not values or wanted in values
    if len(values) != 1:
        return False
    return _is_in_range(wanted, values[0]) if dictionary_VR(keyword) == "DA" else _is_like(wanted, values[0])


def _is_like(wanted: str, value: str) -> bool:
    """Compare with the wildcards of PS3.4 C.2.2.2.4; upper and lower case differ."""
    pattern = re.escape(_plain(wanted)).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, value, re.DOTALL) is not None


def _is_in_range(wanted: str, value: str) -> bool:
    date = value.replace(".", "").replace("-", "")
    span = _RANGE.fullmatch(wanted)
    if span is None:
        return date == wanted
    return (span[1] or "") <= date <= (span[2] or "99999999")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip(" \0")
