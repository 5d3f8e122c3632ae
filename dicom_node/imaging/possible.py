"""Numbers that a header may hold: what no image can have is refused by its attribute, not computed with."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from pydicom import Dataset
from pydicom.tag import Tag

from dicom_node.errors import ObjectError
from dicom_node.images import FactValue
from dicom_node.imaging.headers import Values, naming, values_of

_SHOWN = 48  # characters of an impossible value that a reason quotes


@dataclasses.dataclass(frozen=True, slots=True)
class Possible:
    """The numbers that one attribute may hold."""

    low: float
    high: float
    count: int | None = 1  # how many there are; None is any number of them
    whole: bool = False
    least: float = 0.0  # below this, a number is too near to zero to divide or multiply by

    def admits(self, values: Sequence[FactValue]) -> bool:
        """Say whether all of an attribute's values are possible."""
        return self.count in (None, len(values)) and all(self._admits(value) for value in values)

    def _admits(self, value: FactValue) -> bool:
        if not isinstance(value, float) or not math.isfinite(value):
            return False
        fits = self.low <= value <= self.high and abs(value) >= self.least
        return fits and (not self.whole or value == int(value))

    def __str__(self) -> str:
        """Return what is possible, for people."""
        word = "whole number" if self.whole else "number"
        several = {None: f"{word}s", 1: f"a {word}"}.get(self.count, f"{self.count} {word}s")
        least = f", none nearer to 0 than {self.least:g}" if self.least else ""
        return f"{several} from {self.low:g} to {self.high:g}{least}"


PIXEL_DESCRIPTION = {
    "Rows": Possible(1, 65535, whole=True),
    "Columns": Possible(1, 65535, whole=True),
    "SamplesPerPixel": Possible(1, 4, whole=True),
    "BitsAllocated": Possible(1, 64, whole=True),
    "BitsStored": Possible(1, 64, whole=True),
    "HighBit": Possible(0, 63, whole=True),
    "PixelRepresentation": Possible(0, 1, whole=True),
    "PlanarConfiguration": Possible(0, 1, whole=True),
    "NumberOfFrames": Possible(0, 2**31 - 1, whole=True),  # 0 stands in some single-frame objects
}
"""Image Pixel and Multi-frame modules (PS3.3 C.7.6.3, C.7.6.6)."""

_SPACING = Possible(1e-5, 1e3, count=2)
_VALUES = {
    "PixelSpacing": _SPACING,  # mm
    "ImagerPixelSpacing": _SPACING,
    "SliceThickness": Possible(0, 1e3),
    "SpacingBetweenSlices": Possible(-1e3, 1e3),  # negative in nuclear medicine (PS3.3 C.8.4.15)
    "ImagePositionPatient": Possible(-1e5, 1e5, count=3),
    "ImageOrientationPatient": Possible(-1.1, 1.1, count=6),  # rounded in some headers
    "RescaleSlope": Possible(-1e9, 1e9, least=1e-12),
    "RescaleIntercept": Possible(-1e12, 1e12),
    "WindowCenter": Possible(-1e12, 1e12, count=None),
    "WindowWidth": Possible(0, 1e12, count=None),  # 0 stands in some headers for no window
    "PixelPaddingValue": Possible(-(2**31), 2**32),
    "PixelPaddingRangeLimit": Possible(-(2**31), 2**32),
    "CineRate": Possible(0, 1e5),
    "RecommendedDisplayFrameRate": Possible(0, 1e5),
    "FrameTime": Possible(0, 1e9),  # ms
}
POSSIBLE = {**PIXEL_DESCRIPTION, **_VALUES}
"""Every number of a header that is computed with, apart from look-up tables."""

_PIXEL_TAGS = tuple(Tag(keyword) for keyword in PIXEL_DESCRIPTION)


def refuse_impossible(uid: str, values: Values) -> None:
    """Refuse an object of which a number cannot be; what is absent or empty is not judged.

    Raises:
        ObjectError: naming the SOP Instance and the attribute.
    """
    for keyword, possible in POSSIBLE.items():
        found = values.get(keyword, ())
        if found and not possible.admits(found):
            shown = "\\".join(f"{value:g}" if isinstance(value, float) else repr(value) for value in found)
            raise ObjectError(uid, f"{keyword} is {shown[:_SHOWN]}; possible: {possible}")


def pixel_description(uid: str, dataset: Dataset) -> Values:
    """Return the values of the Image Pixel module, each possible and none in contradiction to another.

    Raises:
        ObjectError: naming the SOP Instance and the attribute.
    """
    with naming(uid, "its header cannot be read"):
        values = values_of(Dataset({tag: dataset.get_item(tag) for tag in _PIXEL_TAGS if tag in dataset}))
    refuse_impossible(uid, values)
    _refuse_wrong_vr(uid, dataset, values)
    for keyword in ("Rows", "Columns", "BitsAllocated"):
        if keyword not in values:
            raise ObjectError(uid, f"{keyword} is missing: its pixel data cannot be decoded")
    allocated, stored, high = (number(values, name) for name in ("BitsAllocated", "BitsStored", "HighBit"))
    if stored is not None and allocated is not None and stored > allocated:
        raise ObjectError(uid, f"BitsStored is {stored}, more than BitsAllocated, which is {allocated}")
    if stored is not None and high is not None and high != stored - 1:
        raise ObjectError(uid, f"HighBit is {high} where BitsStored is {stored}; possible: {stored - 1}")
    return values


def _refuse_wrong_vr(uid: str, dataset: Dataset, values: Values) -> None:
    """Refuse an attribute of the Image Pixel module that has a value of a VR of which it cannot be (PS3.6)."""
    for tag, keyword in zip(_PIXEL_TAGS, PIXEL_DESCRIPTION, strict=True):
        element = dataset.get_item(tag) if tag in dataset else None
        if element is not None and element.value and keyword not in values:
            raise ObjectError(uid, f"{keyword} is of VR {element.VR} and holds no number")
    with naming(uid, "PhotometricInterpretation cannot be read"):
        photometric = dataset.get("PhotometricInterpretation", "")
    if not isinstance(photometric, str):
        raise ObjectError(uid, f"PhotometricInterpretation is of VR {dataset['PhotometricInterpretation'].VR}, not CS")


def number(values: Values, keyword: str) -> int | None:
    """Return the first value of a keyword as a whole number, or None where there is none."""
    first = next(iter(values.get(keyword, ())), None)
    return int(first) if isinstance(first, float) else None
