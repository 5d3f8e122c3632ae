"""A radiograph to the picture that a viewer would show: 8 bits, black to white."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi
from pydicom.uid import (
    DigitalIntraOralXRayImageStorageForProcessing,
    DigitalMammographyXRayImageStorageForProcessing,
    DigitalXRayImageStorageForProcessing,
)

from dicom_node.errors import RefusalError
from dicom_node.images import Radiograph, Stack
from dicom_node.imaging.geometry import numbers
from dicom_node.imaging.headers import naming, values_of
from dicom_node.imaging.pixels import read_object, stored_pixels

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
_PERCENTILES = (1, 99)


def read_radiograph(stack: Stack) -> Radiograph:
    """Read one projection image.

    Raises:
        RefusalError: for more than one frame, for colour, and for raw detector data (For Processing), whose grey
            values no viewer would show.
        ObjectError: naming the object whose pixels cannot be decoded.
    """
    if len(stack.frames) != 1:
        raise RefusalError(f"{len(stack.frames)} frames in one stack; a radiograph is one")
    (frame,) = stack.frames
    dataset = read_object(frame)
    with naming(frame.sop_instance_uid, "its header cannot be read"):
        _refuse(dataset)
    (stored,) = stored_pixels(dataset, stack.frames)
    if stored.ndim != 2:
        raise RefusalError("its pixels are in colour; a radiograph is grey")
    with naming(frame.sop_instance_uid, "its look-up table or window cannot be used"):
        return Radiograph(stored, _picture(dataset, stored), _spacing_mm(dataset), stack)


def _refuse(dataset: Dataset) -> None:
    photometric = str(dataset.get("PhotometricInterpretation", ""))
    if _FOR_PROCESSING & {str(dataset.get("PresentationIntentType", "")).upper(), dataset.SOPClassUID}:
        raise RefusalError("raw detector data (For Processing); the For Presentation image is needed")
    if photometric not in _GREY:
        raise RefusalError(f"its pixels are {photometric or 'of no stated kind'}; a radiograph is grey")


def _picture(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.uint8]:
    """Return (rows, columns) 0..255: Modality LUT, then VOI, then MONOCHROME1 turned over (PS3.4 N.2)."""
    padding = _padding(dataset, stored)
    modality = apply_modality_lut(stored, dataset) if _has_modality_lut(dataset) else stored
    shown = _voi(dataset, modality, padding)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    shown[padding] = 0
    return np.asarray(np.rint(255 * shown), dtype=np.uint8)


def _has_modality_lut(dataset: Dataset) -> bool:
    return bool(dataset.get("ModalityLUTSequence")) or dataset.get("RescaleSlope") is not None


def _padding(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pixels (rows, columns) are no part of the image (PS3.3 C.7.5.1.1.2)."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, dtype=bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(value), int(value if limit is None else limit)))
    return np.asarray((stored >= low) & (stored <= high))


def _voi(dataset: Dataset, values: NDArray[Any], padding: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return values as 0..1: by VOI LUT, else by window, else between percentiles (PS3.3 C.11.2)."""
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        table = apply_voi(np.rint(values).astype(np.int64), dataset)
        return np.clip(table / (2.0**bits - 1), 0, 1)
    centre, width = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    if centre is not None and width is not None and width > 0 and function in _WINDOWS:
        return _WINDOWS[function](values.astype(np.float64), centre, width)
    inside = values[~padding]
    low, high = np.percentile(inside, _PERCENTILES) if inside.size else (0.0, 0.0)
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1)


def _linear(values: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    """Return 0..1 by PS3.3 C.11.2.1.2.1, whose width of 1 is a threshold."""
    return np.clip((values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5, 0, 1)


def _linear_exact(values: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    """Return 0..1 by PS3.3 C.11.2.1.3.2."""
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _sigmoid(values: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    """Return 0..1 by PS3.3 C.11.2.1.3.1."""
    return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))))


_WINDOWS: dict[str, Callable[[NDArray[np.float64], float, float], NDArray[np.float64]]] = {
    "LINEAR": _linear,
    "LINEAR_EXACT": _linear_exact,
    "SIGMOID": _sigmoid,
}


def _first(dataset: Dataset, keyword: str) -> float | None:
    """Return the first of possibly several windows; the others are alternatives for the reader."""
    return next((value for value in values_of(dataset).get(keyword, ()) if isinstance(value, float)), None)


def _spacing_mm(dataset: Dataset) -> tuple[float, float] | None:
    """Return rows and columns: in the patient where calibrated, else at the detector (PS3.3 10.7.1.3)."""
    values = values_of(dataset)
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        found = numbers(values, keyword, 2)
        if found is not None and min(found) > 0:
            return float(found[0]), float(found[1])
    return None
