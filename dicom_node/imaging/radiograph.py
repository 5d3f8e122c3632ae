"""A radiograph to the picture that a viewer would show: 8 bits, black to white."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import (
    DigitalIntraOralXRayImageStorageForProcessing,
    DigitalMammographyXRayImageStorageForProcessing,
    DigitalXRayImageStorageForProcessing,
)

from dicom_node.errors import UnsuitableError
from dicom_node.images import Radiograph, Stack
from dicom_node.imaging.geometry import numbers
from dicom_node.imaging.headers import naming, values_of
from dicom_node.imaging.limits import NO_LIMITS, PixelLimits
from dicom_node.imaging.pixels import read_object, stored_pixels
from dicom_node.imaging.possible import refuse_impossible
from dicom_node.imaging.remarks import SourceRemarks
from dicom_node.imaging.shown import shown

_FOR_PROCESSING = frozenset(
    {
        "FOR PROCESSING",
        DigitalXRayImageStorageForProcessing,
        DigitalMammographyXRayImageStorageForProcessing,
        DigitalIntraOralXRayImageStorageForProcessing,
    }
)
"""Presentation Intent Type, or the SOP Class alone (PS3.3 C.8.11.1.1.1)."""

_GREY = ("MONOCHROME1", "MONOCHROME2")


def read_radiograph(stack: Stack, limits: PixelLimits = NO_LIMITS) -> Radiograph:
    """Read one projection image.

    Raises:
        UnsuitableError: for more than one frame, for colour, and for raw detector data (For Processing), whose grey
            values no viewer would show.
        ObjectError: naming the object whose pixels are too many or cannot be decoded, or whose header holds an
            impossible number.
    """
    frame = stack.frames[0]
    uid, count = frame.sop_instance_uid, len(stack.frames)
    if count != 1:
        raise UnsuitableError(uid, "NumberOfFrames", f"of its stack is {count}; a radiograph is one frame")
    dataset = read_object(frame)
    with naming(uid, "its header cannot be read"):
        _refuse(uid, dataset)
        refuse_impossible(uid, values_of(dataset))
    remarks = SourceRemarks()
    (stored,) = stored_pixels(dataset, stack.frames, remarks, limits)
    if stored.ndim != 2:
        raise UnsuitableError(uid, "SamplesPerPixel", f"is {stored.shape[-1]}: in colour; a radiograph is grey")
    with naming(uid, "its look-up table or window cannot be used"):
        return Radiograph(stored, shown(dataset, stored), _spacing_mm(dataset), stack, remarks=remarks.texts)


def _refuse(uid: str, dataset: Dataset) -> None:
    photometric = str(dataset.get("PhotometricInterpretation", ""))
    if _FOR_PROCESSING & {str(dataset.get("PresentationIntentType", "")).upper(), dataset.SOPClassUID}:
        why = "or its SOP class says raw detector data (For Processing); the For Presentation image is needed"
        raise UnsuitableError(uid, "PresentationIntentType", why)
    if photometric not in _GREY:
        why = f"is {photometric or 'absent or empty'}; a radiograph is grey"
        raise UnsuitableError(uid, "PhotometricInterpretation", why)


def _spacing_mm(dataset: Dataset) -> tuple[float, float] | None:
    """Return rows and columns: in the patient where calibrated, else at the detector (PS3.3 10.7.1.3)."""
    values = values_of(dataset)
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        found = numbers(values, keyword, 2)
        if found is not None and min(found) > 0:
            return float(found[0]), float(found[1])
    return None
