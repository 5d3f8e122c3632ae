"""Headers that no scanner should write: numbers that cannot be, wrong VRs, absent attributes, spoilt texts."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from random import Random

from pydicom.datadict import tag_for_keyword

from tests.faults.fuzz.elements import Element, elements_of, joined
from tests.faults.fuzz.inputs import Input, give_identity, stored_object
from tests.support.dicom import ct_slice, data_set_bytes, encoded

KIND = "header nonsense"
Header = dict[int, Element]

_MANY = b"\\".join([b"1"] * 20_000)
_ANY_NUMBER = (
    b"nan",
    b"NaN",
    b"-inf",
    b"1e308",
    b"much",
    b"1\\2\\3\\4\\5\\6\\7",
    _MANY,
    b"0x10",
    b"\xff\xfe",
    b"1e400",
)
IMPOSSIBLE_TEXTS: Mapping[str, tuple[bytes, ...]] = {
    "PixelSpacing": (*_ANY_NUMBER, b"-1\\0", b"1e-300\\1e-300", b"1", b"0\\0", b"nan\\1", b"1\\1e308"),
    "RescaleSlope": (*_ANY_NUMBER, b"0", b"1e-300", b"1\\2"),
    "RescaleIntercept": (*_ANY_NUMBER, b"1e300"),
    "SliceThickness": (*_ANY_NUMBER, b"-3"),
    "ImagePositionPatient": (*_ANY_NUMBER, b"0\\0\\1e200", b"0\\0", b"nan\\0\\0"),
    "ImageOrientationPatient": (*_ANY_NUMBER, b"5\\0\\0\\0\\5\\0", b"nan\\0\\0\\0\\1\\0", b"0\\0\\0\\0\\0\\0"),
}
"""Attribute of VR DS -> values of which no volume can be made; one more multiplicity is one too many."""
IMPOSSIBLE_NUMBERS: Mapping[str, tuple[int, ...]] = {
    "HighBit": (200, 14, 0, 65535),
    "BitsStored": (0, 60, 65535),
    "BitsAllocated": (0, 65, 7, 65535),
    "SamplesPerPixel": (0, 9, 65535),
    "PixelRepresentation": (2, 65535),
    "Rows": (0, 65535),
    "Columns": (0, 65535),
}
"""Attribute of VR US -> values that contradict the object's 16 x 16 pixels of 12 bits."""
NEEDED = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PixelRepresentation"),
    *("PhotometricInterpretation", "PixelData"),
    *("RescaleSlope", "RescaleIntercept", "PixelSpacing"),
)
"""Type 1 attributes of CT without which its values, or their size, are not known (PS3.3 C.8.2.1, C.7.6)."""
_OPTIONAL = (
    *("ImagePositionPatient", "ImageOrientationPatient", "HighBit", "Modality", "InstanceNumber"),
    *("PatientID", "PatientName", "SliceThickness", "StudyDate"),
)
_TEXTS = (
    b"\x1b[31mRED\x1b[0m\x07",
    b"\x1b$B;3ED\x1b(B",
    b"\r\n2026-01-01 00:00:00 ERROR forged line",
    b"\xff\xfe\x80\x81",
    b"\0\0\0\0",
    b"\xe2\x80\xae\xe2\x80\x8b",
    b"^" * 60_000,
    b"=" * 400,
    b"\\".join([b"a"] * 20_000),
    b"",
)
_CHARACTER_SETS = (
    b"nonsense",
    b"ISO_IR 192",
    b"\\ISO 2022 IR 87",
    b"ISO 2022 IR 13\\ISO 2022 IR 87",
    b"ISO_IR 100\\ISO_IR 192",
    b"GB18030",
    b"\xff\xfe",
    b"\\".join([b"ISO 2022 IR 149"] * 4000),
    b"ISO_IR 192\\GBK",
)
_VRS = (b"OB", b"UN", b"FD", b"US", b"SL", b"SQ", b"UT", b"AT", b"UI", b"DA", b"PN", b"IS", b"??", b"\0\0", b"us")


def make(random: Random, called: str) -> Input:
    """Return a CT slice with one to three kinds of nonsense in its header."""
    dataset = ct_slice("1.2", "1.2.3")
    give_identity(dataset, random)
    header = {element.tag: element for element in elements_of(data_set_bytes(encoded(dataset)))}
    done = [random.choice(_NONSENSE)(header, random) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    data_set = joined(header[tag] for tag in sorted(header))
    return Input(KIND, stored_object(dataset, called, data_set), str(dataset.SOPInstanceUID), any(done))


def _impossible_text(header: Header, random: Random) -> bool:
    keyword = random.choice(list(IMPOSSIBLE_TEXTS))
    _put(header, keyword, b"DS", random.choice(IMPOSSIBLE_TEXTS[keyword]))
    return True


def _impossible_number(header: Header, random: Random) -> bool:
    keyword = random.choice(list(IMPOSSIBLE_NUMBERS))
    _put(header, keyword, b"US", struct.pack("<H", random.choice(IMPOSSIBLE_NUMBERS[keyword])))
    return True


def _frames(header: Header, random: Random) -> bool:
    _put(header, "NumberOfFrames", b"IS", random.choice((b"-1", b"many", b"2147483647", b"1e9", b"1\\1", b"1.5")))
    return True


def _absent(header: Header, random: Random) -> bool:
    return header.pop(_tag(random.choice(NEEDED)), None) is not None


def _empty(header: Header, random: Random) -> bool:
    keyword = random.choice(NEEDED)
    _put(header, keyword, header[_tag(keyword)].vr if _tag(keyword) in header else b"UN", b"")
    return True


def _absent_of_lesser_type(header: Header, random: Random) -> bool:
    header.pop(_tag(random.choice(_OPTIONAL)), None)
    return False


def _wrong_vr(header: Header, random: Random) -> bool:
    element = header[random.choice([tag for tag in header if tag >> 16 in (0x0010, 0x0018, 0x0020, 0x0028, 0x7FE0)])]
    header[element.tag] = Element(element.tag, random.choice(_VRS), element.value)
    return False


def _spoilt_text(header: Header, random: Random) -> bool:
    keyword, vr = random.choice(
        (
            *(("SeriesDescription", b"LO"), ("StudyDescription", b"LO"), ("PatientName", b"PN"), ("PatientID", b"LO")),
            *(("ImageType", b"CS"), ("InstanceNumber", b"IS"), ("StudyDate", b"DA"), ("PatientAge", b"AS")),
            *(("FrameOfReferenceUID", b"UI"), ("BodyPartExamined", b"CS"), ("ImageComments", b"LT")),
        )
    )
    _put(header, keyword, vr, random.choice(_TEXTS))
    return False


def _character_set(header: Header, random: Random) -> bool:
    _put(header, "SpecificCharacterSet", b"CS", random.choice(_CHARACTER_SETS))
    return _spoilt_text(header, random)


def _put(header: Header, keyword: str, vr: bytes, value: bytes) -> None:
    header[_tag(keyword)] = Element(_tag(keyword), vr, value)


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag


_NONSENSE: tuple[Callable[[Header, Random], bool], ...] = (
    *(_impossible_text, _impossible_number, _frames, _absent, _empty),
    *(_absent_of_lesser_type, _wrong_vr, _wrong_vr, _spoilt_text, _character_set),
)
"""Each spoils a header and says whether nothing may be made of the object any more."""
