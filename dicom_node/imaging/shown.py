"""Stored grey values as a viewer shows them: 8 bits, black to white."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from dicom_node.imaging.headers import values_of

_PERCENTILES = (1, 99)


def shown(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.uint8]:
    """Return (rows, columns) 0..255, black to white, as a viewer shows stored pixels.

    Modality LUT, then VOI LUT or window, then MONOCHROME1 turned over (PS3.4 N.2); padding is black.
    """
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
