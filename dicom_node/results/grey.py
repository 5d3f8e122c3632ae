"""The grey scale of a source frame, gathered from its header or its functional groups (PS3.3 C.11.1, C.11.2)."""

from __future__ import annotations

import copy

from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr

MODALITY = ("RescaleIntercept", "RescaleSlope", "RescaleType", "ModalityLUTSequence")
VOI = ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence")
_PIXELS = ("PhotometricInterpretation", "PixelRepresentation", "BitsStored", "PixelPaddingValue")
_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")


def grey_scale(header: Dataset, number: int | None) -> Dataset:
    """Return the attributes that turn a frame's stored pixels into what is shown; `number` counts from 1."""
    result = Dataset()
    for holder in (*_functional_groups(header, number), header):
        for keyword in (*MODALITY, *VOI, *_PIXELS):
            if keyword in holder and keyword not in result:
                result[keyword] = copy.deepcopy(holder[keyword])
    return correct_ambiguous_vr(result, is_little_endian=True)


def part(scale: Dataset, keywords: tuple[str, ...]) -> Dataset:
    """Return those of the attributes that are there and say something."""
    result = Dataset()
    for keyword in keywords:
        if keyword in scale and not scale[keyword].is_empty:
            result[keyword] = scale[keyword]
    return result


def _functional_groups(header: Dataset, number: int | None) -> list[Dataset]:
    if number is None:
        return []
    frames = header.get("PerFrameFunctionalGroupsSequence") or ()
    own = list(frames[number - 1 : number])
    holders = [*own, *(header.get("SharedFunctionalGroupsSequence") or ())]
    return [holder[keyword].value[0] for holder in holders for keyword in _GROUPS if holder.get(keyword)]
