"""What a page takes from the headers of the images: who, when, which series, which image, which side is where."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from dicom_node.config import Encoding, Language
from dicom_node.imaging.headers import MALFORMED
from dicom_node.results.captures import instance_order
from dicom_node.results.page.typeface import has_glyphs
from dicom_node.results.page.words import say
from dicom_node.results.provenance import local_time
from dicom_node.results.request import Request
from dicom_node.results.sources import Sources

_AXES: Final = (("R", "L"), ("A", "P"), ("F", "H"))  # along x, y and z of the patient: where it begins, where it ends
_LONGEST: Final = 64  # characters of a Long String, and of one group of a name (PS3.5 6.2)
_OPPOSITE: Final = dict([*_AXES, *((end, start) for start, end in _AXES)])


def identity(encoding: Encoding, sources: Sources) -> tuple[str, ...]:
    """Return what of the patient and study a peer wants to be shown; empty attributes are left out."""
    header, language = sources.first, encoding.page_language
    born = _date(language, _text(header, "PatientBirthDate"))
    shown = {
        "Patient": _person(header) if encoding.page_patient == "name" else "",
        "Born": born if encoding.page_patient == "name" else "",
        "Patient ID": _text(header, "PatientID"),
        "Study of": _date(language, _text(header, "StudyDate")),
    }
    named = {} if encoding.page_patient == "none" else shown
    return tuple(f"{say(language, name)} {_shown(text)}" for name, text in named.items() if text)


def series(request: Request, sources: Sources) -> tuple[str, ...]:
    """Return which series was analysed: modality, number, description, how many images."""
    header, language, count = sources.first, request.encoding.page_language, len(sources.stack.frames)
    number = _text(header, "SeriesNumber")
    described = "" if request.encoding.page_patient == "none" else _text(header, "SeriesDescription")
    images = say(language, "1 image") if count == 1 else say(language, "{} images", count)
    named = say(language, "Series {}", number) if number else ""
    return tuple(filter(None, (*map(_shown, (_text(header, "Modality"), named, described)), images)))


def picture_name(language: Language, sources: Sources, k: int) -> str:
    """Return what viewers call a frame: its number in a multi-frame object, else its Instance Number."""
    number, frame, _ = instance_order(sources, k)
    return say(language, "Frame {}", frame) if frame else say(language, "Image {}", number or k + 1)


def made_on(request: Request, sources: Sources) -> str:
    """Return the day and minute of the run, in the time zone that the result states."""
    at = local_time(request.at, sources)
    return f"{_day(request.encoding.page_language, at)} {at:%H:%M}"


def compressed_with_loss(sources: Sources) -> bool:
    """Say whether any of the images was compressed with loss (PS3.3 C.7.6.1.1.5)."""
    return any(_text(header, "LossyImageCompression") == "01" for header in sources.headers.values())


def side_letters(sources: Sources, k: int) -> tuple[str, str]:
    """Return what of the patient lies at a picture's left and right edge; "" where no header says so."""
    if sources.planes is not None:
        along = sources.planes[k].orientation[:3]
        axis = int(np.argmax(np.abs(along)))
        start, end = _AXES[axis]
        return (start, end) if along[axis] > 0 else (end, start)
    end = (_values(sources.first, "PatientOrientation") or ("",))[0][:1].upper()
    return (_OPPOSITE[end], end) if end in _OPPOSITE else ("", "")


def stretch(sources: Sources) -> float:
    """Return how much taller than wide a pixel is shown (PS3.3 C.7.6.3.1.7); 1 where no header says so."""
    if sources.spacing_mm is not None and min(sources.spacing_mm) > 0:
        return sources.spacing_mm[0] / sources.spacing_mm[1]
    ratio = [float(value) for value in _values(sources.first, "PixelAspectRatio") if value.isdigit()]
    return ratio[0] / ratio[1] if len(ratio) == 2 and min(ratio) > 0 else 1.0


def _person(header: Dataset) -> str:
    """Return the first component group of the name that can be drawn, else the first (PS3.5 6.2.1.2)."""
    groups = [group.strip("^ ").replace("^", " ") for group in _text(header, "PatientName").split("=")]
    groups = [group for group in groups if group]
    return next((group for group in groups if has_glyphs(group)), groups[0] if groups else "")


def _date(language: Language, text: str) -> str:
    try:
        return _day(language, datetime.datetime.strptime(text, "%Y%m%d"))
    except ValueError:
        return text


def _day(language: Language, at: datetime.datetime) -> str:
    return f"{at:%d.%m.%Y}" if language == "de" else f"{at:%Y-%m-%d}"


def _text(header: Dataset, keyword: str) -> str:
    return "\\".join(_values(header, keyword))


def _shown(text: str) -> str:
    """Return a text without what its VR has no room for, so that a header of any length leaves room for the page."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _values(header: Dataset, keyword: str) -> tuple[str, ...]:
    """Return a value's components as text; none where it is absent or cannot be read."""
    try:
        value = header.get(keyword)
    except MALFORMED:
        return ()
    several = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    return tuple(str(one).strip() for one in several if one not in (None, ""))
