"""What the organ models tell alike: segments of a volume, their millilitres and mean Hounsfield units."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from dicom_node.pipeline import Code, Finding, Found, Measurement, Remark, Segment, Segmentation, Stack, Volume
from pipelines.headers import texts

STRUCTURE: Final = Code("91723000", "SCT", "Anatomical Structure")
ABNORMALITY: Final = Code("49755003", "SCT", "Morphologically Abnormal Structure")
VOLUME: Final = Code("118565006", "SCT", "Volume")
LONG_AXIS: Final = Code("103339001", "SCT", "Long Axis")
MEAN_ATTENUATION: Final = Code("112181", "DCM", "Mean Attenuation Coefficient")
MILLILITRE: Final = Code("mL", "UCUM", "milliliter")
MILLIMETRE: Final = Code("mm", "UCUM", "millimeter")
NO_UNIT: Final = Code("1", "UCUM", "no units")
SAME: Final = 1e-6  # of a length: what is measured may differ by so much from what is asked for
HOUNSFIELD: Final = Code("[hnsf'U]", "UCUM", "Hounsfield unit")


def told(labels: NDArray[np.uint8], image: Volume, segments: tuple[Segment, ...], *, mean_hu: bool = False) -> Found:
    """Name and measure labels (slices, rows, columns) on the source grid; an absent segment has no measurement."""
    found: list[Finding] = [Segmentation(labels, segments)]
    if image.stack.text("windowed"):
        return (*found, Remark("a picture has neither size nor Hounsfield units: nothing was measured"))
    millilitres = abs(float(np.linalg.det(image.affine[:3, :3]))) / 1000
    for segment in segments:
        mask = labels == segment.label
        if not mask.any():
            continue
        found.append(Measurement(VOLUME, int(mask.sum()) * millilitres, MILLILITRE, segment.name))
        if segment.category == ABNORMALITY:
            found.append(Measurement(LONG_AXIS, longest_diameter_mm(mask, image), MILLIMETRE, segment.name))
        if mean_hu:
            mean = float(image.array[mask].mean(dtype=np.float64))
            found.append(Measurement(MEAN_ATTENUATION, mean, HOUNSFIELD, segment.name))
        if _is_cut_off(mask, image):
            found.append(Remark(f"{segment.name} reaches the end of the stack: its volume may be that of a part"))
    return tuple(found)


def longest_diameter_mm(mask: NDArray[np.bool_], image: Volume) -> float:
    """Return the longest line across one connected part in one slice, as lesions are measured by hand.

    From outer edge to outer edge of its pixels; a mask (slices, rows, columns) without any pixel has 0.
    """
    step = image.affine[:3, 1:3]  # mm per row and per column
    longest = 0.0
    for marked in mask[mask.any(axis=(1, 2))]:
        count, parts = cv2.connectedComponents(marked.astype(np.uint8), connectivity=8)
        for part in range(1, count):
            places = np.argwhere(parts == part)
            corners = np.concatenate([places + corner for corner in ((0, 0), (0, 1), (1, 0), (1, 1))])
            hull = cv2.convexHull(corners.astype(np.int32)).reshape(-1, 2)
            longest = max(longest, float(pdist(hull @ step.T).max()))
    return longest


def _is_cut_off(mask: NDArray[np.bool_], image: Volume) -> bool:
    return len(image.array) > 1 and bool(mask[0].any() or mask[-1].any())


def refuse_mr(stack: Stack, derived: tuple[str, ...]) -> str | None:
    """Say why a stack is no MR volume, or is one of the ImageTypes `derived`; what is absent is no reason."""
    for keyword, wanted in (("Modality", "MR"), ("kind", "VOLUME")):
        values = texts(stack, keyword)
        if values and wanted not in values:
            return f"{keyword} is {values[0]}, not {wanted}"
    part = texts(stack, "ComplexImageComponent")
    if part and not {"MAGNITUDE", "MIXED"} & set(part):
        return f"ComplexImageComponent is {part[0]}, not MAGNITUDE"
    found = sorted(set(texts(stack, "ImageType")) & set(derived))
    if not found and stack.repetition:
        return stack.repetition
    return f"ImageType says {found[0]}, not a plain image" if found else None


def refuse_coarse(stack: Stack, max_spacing_mm: float, min_extent_mm: float) -> str | None:
    """Say that slices are too far apart or cover too little of the patient; what is absent is no reason."""
    spacing = stack.number("spacing_mm")
    if spacing is not None and spacing > max_spacing_mm * (1 + SAME):
        return f"slices are {spacing:g} mm apart, at most {max_spacing_mm:g} mm is taken"
    extent = stack.number("extent_mm")
    if extent is not None and extent < min_extent_mm * (1 - SAME):
        return f"the stack covers {extent:g} mm, at least {min_extent_mm:g} mm is needed"
    return None


def refuse_few(stack: Stack, keyword: str, least: int) -> str | None:
    """Say that a count, e.g. `slices` or `Rows`, is below what is needed; absent is no reason."""
    found = stack.number(keyword)
    return None if found is None or found >= least else f"{keyword} is {found:.0f}, at least {least} are needed"
