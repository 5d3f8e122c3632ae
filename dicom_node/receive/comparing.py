"""How two versions of one SOP Instance differ: in encoding, header, geometry or pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.encoding.narrow import check_header, is_light
from dicom_node.receive.difference import Difference, UncomparedError
from dicom_node.uids import digest

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_LAYOUT = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsStored", "PixelRepresentation")
_GEOMETRY = (
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "PixelSpacing", "ImagerPixelSpacing"),
    *("NominalScannedPixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PatientOrientation", "FrameOfReferenceUID"),
    *("Laterality", "ImageLaterality", "PatientPosition"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_ENCODING = frozenset(
    (
        *_PIXELS,
        *("PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "HighBit", "DataSetTrailingPadding"),
        *("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "SpecificCharacterSet", "TimezoneOffsetFromUTC"),
    )
)
_ABOUT = frozenset((0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0032, 0x0038, 0x0400))
"""Groups that say whose an object without pixels is and how it came about, not what it says."""
_EVIDENCE = frozenset((0x0040A370, 0x0040A375, 0x0040A385))  # sequences that cite studies and series
_NATIVE = frozenset((ImplicitVRLittleEndian, ExplicitVRLittleEndian))  # of which other bytes are other pixels
_ELEMENTS_AT_ONCE, _BYTES_AT_ONCE = 5000, 32 << 20  # of objects that are compared in a few milliseconds

ShowsSame: TypeAlias = Callable[[Dataset, Dataset], bool]
"""Says whether two objects' Pixel Data show the same once they are decoded."""


def compare(path: Path, other: Path, shows_same: ShowsSame) -> Difference:
    """Compare the objects in two files; what cannot be read or decoded counts as another picture.

    Raises:
        UncomparedError: as `shows_same` does.
        MemoryError: comparing them takes more memory than there may be.
    """
    try:
        check_header(str(path))
        check_header(str(other))
        return _difference(dcmread(path), dcmread(other), shows_same)
    except (MemoryError, UncomparedError):
        raise
    except Exception:  # noqa: BLE001 - pydicom and its decoders raise a dozen kinds on broken bytes
        return Difference.PIXELS


def compare_at_once(path: Path, other: Path) -> Difference:
    """Compare small objects, where no pixels have to be decoded for that.

    Raises:
        UncomparedError: it would take longer, or the other's file was removed.
    """
    if not other.exists() or not all(is_light(str(one), _ELEMENTS_AT_ONCE, _BYTES_AT_ONCE) for one in (path, other)):
        raise UncomparedError
    return compare(path, other, _not_at_once)


def _not_at_once(_one: Dataset, _other: Dataset) -> bool:
    raise UncomparedError


def _difference(one: Dataset, other: Dataset, shows_same: ShowsSame) -> Difference:
    if _differ(one, other, _class_and_layout) or not _same_pixels(one, other, shows_same):
        return Difference.PIXELS
    if _differ(one, other, _geometry):
        return Difference.GEOMETRY
    return Difference.HEADER if _differ(one, other, _header) else Difference.ENCODING


def describe(dataset: Dataset) -> tuple[str, str, str]:
    """Return digests of an object's class and layout, of its geometry, and of its header."""
    return digest(str(_class_and_layout(dataset))), digest(str(_geometry(dataset))), digest(str(_header(dataset)))


def describe_content(dataset: Dataset) -> str:
    """Return a digest of what an object without pixels says; "" where it has pixels."""
    return "" if any(keyword in dataset for keyword in _PIXELS) else _content(dataset)


def _differ(one: Dataset, other: Dataset, of: Callable[[Dataset], object]) -> bool:
    return of(one) != of(other)


def _class_and_layout(dataset: Dataset) -> object:
    return str(dataset.SOPClassUID), [_text(dataset, keyword) for keyword in _LAYOUT]


def _geometry(dataset: Dataset) -> object:
    photometric = _text(dataset, "PhotometricInterpretation")
    return [photometric.startswith("MONOCHROME1"), *(_text(dataset, keyword) for keyword in _GEOMETRY)]


def _header(dataset: Dataset) -> object:
    return [
        (int(element.tag), _said(element.value))
        for element in dataset
        if element.keyword not in _ENCODING and element.tag.element != 0 and not element.tag.is_private
    ]


def _text(dataset: Dataset, keyword: str) -> str:
    return _said(dataset.get(keyword, ""))


def _said(value: Any) -> str:
    """Return a value as text that does not hang on how it was encoded, e.g. 0.50 and 0.5."""
    if isinstance(value, (str, bytes)):
        return str(value).strip()
    if isinstance(value, Dataset):
        return str([(int(element.tag), _said(element.value)) for element in value])
    if hasattr(value, "__iter__"):
        return str([_said(one) for one in value])
    try:
        return repr(float(value))
    except (TypeError, ValueError):
        return "" if value is None else str(value).strip()


def _same_pixels(one: Dataset, other: Dataset, shows_same: ShowsSame) -> bool:
    """Say whether two objects show the same picture, or where they show none say the same."""
    keywords = {keyword for dataset in (one, other) for keyword in _PIXELS if keyword in dataset}
    if not keywords:
        return _content(one) == _content(other)
    (keyword, *others) = keywords
    if others or any(keyword not in dataset for dataset in (one, other)):
        return False
    if _is_alike(one, other):
        if one[keyword].value == other[keyword].value:
            return True
        if all(dataset.file_meta.TransferSyntaxUID in _NATIVE for dataset in (one, other)):
            return False
    return keyword == "PixelData" and shows_same(one, other)


def _is_alike(one: Dataset, other: Dataset) -> bool:
    """Say whether the same bytes of pixels are the same pixels."""
    is_compressed = [dataset.file_meta.TransferSyntaxUID.is_compressed for dataset in (one, other)]
    names = ("PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "HighBit")
    is_same_syntax = one.file_meta.TransferSyntaxUID == other.file_meta.TransferSyntaxUID or not any(is_compressed)
    return is_same_syntax and all(_text(one, name) == _text(other, name) for name in names)


def _content(dataset: Dataset) -> str:
    said = [
        (int(element.tag), _said(element.value))
        for element in dataset
        if element.tag.group not in _ABOUT and int(element.tag) not in _EVIDENCE and element.tag.element != 0
    ]
    return digest(str(said))
