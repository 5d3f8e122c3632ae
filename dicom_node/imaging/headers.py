"""A DICOM header as facts: keyword -> the values found, without whatever names a person.

Facts are stored with decisions and printed, so nothing here reads an attribute that identifies a patient, a physician
or an order; long free text (LT, UT) is left out for the same reason, and so are private attributes.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import itertools
import math
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from pydicom import Dataset
from pydicom.charset import default_encoding
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag, Tag

from dicom_node.encoding.narrow import Decoded, decode_header
from dicom_node.errors import ObjectError
from dicom_node.images import Facts, FactValue
from dicom_node.imaging.age import age_at_study
from dicom_node.imaging.deflated import refuse_bomb
from dicom_node.patterns import LONGEST
from dicom_node.printable import one_line

Values: TypeAlias = Mapping[str, tuple[FactValue, ...]]
"""Keyword -> its values in stored order, repeats kept: (0.5, 0.5) is a PixelSpacing."""

MALFORMED = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom and its decoders raise for bytes that are not what they should be."""

_SHORT_BYTES = 256  # values up to this are remembered: in the slices of a series most of them repeat
_MOST_TEXTS = 256  # values of one text element; every one is held against the patterns of every route
_REMEMBERED = 512  # a few slices of values; those that repeat stay
_NUMBERS = frozenset({"DS", "IS", "FD", "FL", "SS", "US", "SL", "UL", "SV", "UV", "US or SS"})
_TEXTS = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "LO", "SH", "ST", "UC", "UR"})
_UIDS = frozenset({"SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"})
_PATIENT_FACTS = frozenset({"PatientSex", "PatientAge", "PatientSize", "PatientWeight"})
_PERSONAL_GROUPS = frozenset({0x0010, 0x0012, 0x0038, 0x0400, 0x4008})  # patient, trial, visit, signatures, reports
_PERSONAL_WORDS = re.compile(
    r"Physician|Operator|Person|Address|[Pp]hone|Patient(ID|Name|Insurance)|Birth|Reviewer|Author"
    r"|AccessionNumber|OrderNumber"
)
_IDENTIFIERS = frozenset(
    {
        "StudyID",
        "RequestedProcedureID",
        "ScheduledProcedureStepID",
        "PerformedProcedureStepID",
        "ContainerIdentifier",
        "SpecimenIdentifier",
    }
)
_LIFTED = frozenset({"RequestAttributesSequence"})  # its descriptions say what was asked for
_FUNCTIONAL_GROUPS = frozenset({"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"})
_MULTI_FRAME_NAMES = {
    "EffectiveEchoTime": "EchoTime",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "InversionTimes": "InversionTime",
}
"""Keyword of a functional group -> what single-frame objects call the same; it is found by both (PS3.3 C.7.6.16)."""


class _Role(enum.Enum):
    NUMBER = enum.auto()
    TEXT = enum.auto()
    SEQUENCE = enum.auto()
    LEFT_OUT = enum.auto()


@contextlib.contextmanager
def naming(name: str, problem: str) -> Iterator[None]:
    """Turn whatever malformed bytes raise into an ObjectError that names the object."""
    try:
        yield
    except InvalidDicomError as error:
        raise ObjectError(name, "not a DICOM file") from error
    except MALFORMED as error:
        said = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise ObjectError(name, f"{problem}: {said}") from error


def read_header(path: str) -> Decoded:
    """Read a file up to its pixels; what is wide in it and says nothing of the image is left out.

    Raises:
        ObjectError: naming the path, when it is not a DICOM object with a SOP Class and SOP Instance UID, or its header
            is more than is read of any object.
    """
    with naming(path, "its header cannot be read"):
        refuse_bomb(path)
        header = decode_header(path)
        identified = header.dataset.get("SOPClassUID") and header.dataset.get("SOPInstanceUID")
    if not identified:
        raise ObjectError(path, "names no SOP Class or SOP Instance UID")
    return header


def values_of(dataset: Dataset) -> Values:
    """Return the object's own values, and those its functional groups share (PS3.3 C.7.6.16)."""
    found: dict[str, tuple[FactValue, ...]] = {}
    _add(dataset, found)
    for item in dataset.get("SharedFunctionalGroupsSequence") or ():
        _add_groups(item, found)
    if "PatientAge" not in found and (age := age_at_study(dataset)):
        found["PatientAge"] = (age,)
    return found


def frame_values(dataset: Dataset, number: int) -> Values:
    """Return the values of one frame's own functional groups; `number` counts from 1."""
    found: dict[str, tuple[FactValue, ...]] = {}
    items = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if number <= len(items):
        _add_groups(items[number - 1], found)
    return found


def values_of_frames(header: Decoded) -> Iterator[Values]:
    """Yield the values of each frame's own functional groups; a group that many frames have alike is decoded once."""
    known: dict[bytes, Values] = {}
    character_set = header.dataset.original_character_set or default_encoding
    for frame in header.groups:
        found: dict[str, tuple[FactValue, ...]] = {}
        for group in frame:
            if group not in known:
                known[group] = _values_of_group(header.groups.decode(group, character_set))
            _add_values(known[group], found)
        yield found


def _values_of_group(item: Dataset) -> Values:
    found: dict[str, tuple[FactValue, ...]] = {}
    _add_groups(item, found)
    return found


def facts_of(dataset: Dataset) -> Facts:
    """Return the facts of one object: its own, then its shared, then all its frames' values, each once."""
    frames = range(1, 1 + len(dataset.get("PerFrameFunctionalGroupsSequence") or ()))
    return merged([values_of(dataset), *(frame_values(dataset, number) for number in frames)])


def merged(layers: Iterable[Values]) -> Facts:
    """Return every distinct value of every keyword, in order of appearance; FrameType also counts as ImageType."""
    facts: dict[str, dict[FactValue, None]] = {}
    for values in layers:
        for keyword, found in values.items():
            facts.setdefault(keyword, {}).update(dict.fromkeys(found))
        if "FrameType" in values:
            facts.setdefault("ImageType", {}).update(dict.fromkeys(values["FrameType"]))
    return {keyword: tuple(found) for keyword, found in facts.items()}


def _add(dataset: Dataset, found: dict[str, tuple[FactValue, ...]]) -> None:
    for tag in dataset.keys():  # noqa: SIM118  # iterating a Dataset itself converts every element
        keyword, role = _role(int(tag))
        if role is _Role.SEQUENCE:
            _add_codes(dataset, keyword, found)
        elif role is not _Role.LEFT_OUT:
            values = _plain(dataset, tag, role)
            for name in (keyword, _MULTI_FRAME_NAMES.get(keyword, keyword)) if values else ():
                found.setdefault(name, values)


def _add_groups(item: Dataset, found: dict[str, tuple[FactValue, ...]]) -> None:
    for tag in item.keys():  # noqa: SIM118
        keyword, role = _role(int(tag))
        if role is _Role.SEQUENCE:
            for group in item.get(keyword) or ():
                _add(group, found)
            _add_codes(item, keyword, found)


def _add_values(values: Values, found: dict[str, tuple[FactValue, ...]]) -> None:
    """Add a further group's values: of numbers and texts the first counts, codes are all kept."""
    for keyword in values.keys() & found.keys():
        if dictionary_VR(keyword) == "SQ":
            found[keyword] = (*found[keyword], *values[keyword])
    found.update((keyword, value) for keyword, value in values.items() if keyword not in found)


def _add_codes(dataset: Dataset, keyword: str, found: dict[str, tuple[FactValue, ...]]) -> None:
    """Put a code sequence's values and meanings under its keyword, however deep it lies (PS3.3 8.8)."""
    for item in items_of(dataset, keyword):
        codes = tuple(_text(item.get(part, "")) for part in ("CodeValue", "LongCodeValue", "CodeMeaning"))
        if any(codes):
            found[keyword] = (*found.get(keyword, ()), *filter(None, codes))
        if keyword in _LIFTED:
            _add(item, found)
        for tag in item.keys():  # noqa: SIM118
            nested, role = _role(int(tag))
            if role is _Role.SEQUENCE and not any(codes):
                _add_codes(item, nested, found)


def items_of(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return a sequence's items; one that is spoilt, as old archives have them, says nothing."""
    try:
        return [item for item in dataset.get(keyword) or () if isinstance(item, Dataset)]
    except MALFORMED:
        return []


def _plain(dataset: Dataset, tag: BaseTag, role: _Role) -> tuple[FactValue, ...]:
    try:
        raw = dataset.get_item(tag, keep_deferred=True)
        if isinstance(raw, RawDataElement) and raw.length <= _SHORT_BYTES and " or " not in dictionary_VR(tag):
            encoding = dataset.original_character_set or default_encoding
            return _converted(
                raw._replace(value_tell=0), role, *([encoding] if isinstance(encoding, str) else encoding)
            )
        value = dataset[tag].value
    except MALFORMED:  # a malformed value is still what the header says
        raw = dataset.get_item(tag)
        value = bytes(getattr(raw, "value", b"") or b"").decode("latin-1")
    return _facts(value, role)


@functools.lru_cache(_REMEMBERED)
def _converted(raw: RawDataElement, role: _Role, *encoding: str) -> tuple[FactValue, ...]:
    """Return a short element's facts; where it was read from does not count, so that it repeats from slice to slice.

    Raises whatever pydicom does on a malformed value.
    """
    return _facts(convert_raw_data_element(raw, encoding=list(encoding)).value, role)


def _facts(value: object, role: _Role) -> tuple[FactValue, ...]:
    several = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else (value,)
    kept = several if role is _Role.NUMBER else itertools.islice(several, _MOST_TEXTS)
    texts = ((one, "" if one is None else _text(one)) for one in kept)
    return tuple(_as_number(one, text) if role is _Role.NUMBER else text for one, text in texts if text)


def _text(value: object) -> str:
    """Return a value as a fact holds it: it is stored with decisions and shown, so it is cut and escaped."""
    return one_line(str(value).replace("\0", "").strip()[:LONGEST])


def _as_number(value: object, text: str) -> FactValue:
    """Return a number where it is one; JSON has no other than finite numbers."""
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever is no number raises
    except (TypeError, ValueError):
        return text
    return number if math.isfinite(number) else text


@functools.cache
def _role(tag: int) -> tuple[str, _Role]:
    """Say by which keyword a tag becomes a fact, and as what."""
    keyword = keyword_for_tag(tag) if dictionary_has_tag(tag) else ""
    group = Tag(tag).group
    personal = group in _PERSONAL_GROUPS or keyword in _IDENTIFIERS or _PERSONAL_WORDS.search(keyword)
    if not keyword or keyword in _FUNCTIONAL_GROUPS or (personal and keyword not in _PATIENT_FACTS):
        return keyword, _Role.LEFT_OUT
    vr = dictionary_VR(tag)
    if vr == "SQ":
        return keyword, _Role.SEQUENCE
    if vr in _NUMBERS:
        return keyword, _Role.NUMBER
    return keyword, _Role.TEXT if vr in _TEXTS or keyword in _UIDS else _Role.LEFT_OUT
