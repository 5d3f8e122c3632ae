"""Masks against masks: overlap and distance of surfaces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.datasets import class_of
from dicom_node.findings import Segmentation

FOREGROUND: Final = 127  # a pixel above is foreground, whatever its class
Bools = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, slots=True)
class Marked:
    """One image's truth or findings: everything marked, and by the card's classes where they are told apart."""

    whole: Bools  # (slices, rows, columns)
    parts: Mapping[str, Bools]


def marked_truth(values: NDArray[np.uint8], classes: Sequence[str], ignore: int | None) -> tuple[Marked, Bools]:
    """Return what a mask's values say, and which pixels are known.

    A mask with values above 127 is foreground there, its classes not told apart; else the value is the class. A blank
    mask tells no classes apart, and of a single class there is nothing to tell.
    """
    known = np.ones(values.shape, bool) if ignore is None else values != ignore
    clean = np.where(known, values, 0)
    if (clean > FOREGROUND).any():
        return Marked(clean > FOREGROUND, {}), known
    if len(classes) == 1 or not clean.any():
        return Marked(clean > 0, {}), known
    return Marked(clean > 0, {name: clean == number for number, name in enumerate(classes, 1)}), known


def marked_findings(found: Segmentation, classes: Sequence[str]) -> Marked:
    """Return what a model marked; a segment belongs to the class whose name its own name ends in."""
    labels = {name: [one.label for one in found.segments if class_of(one.name, classes) == name] for name in classes}
    parts = {name: np.isin(found.labels, some) for name, some in labels.items() if some}
    return Marked(np.asarray(found.labels) > 0, parts)


def compare(
    truth: Marked, found: Marked, known: Bools, spacing_mm: tuple[float, float, float] | None
) -> dict[str, float]:
    """Return `dsc` and `hd95_mm` (`hd95_px` without a spacing), each also by class where both sides tell it."""
    unit, spacing = ("px", (1.0, 1.0, 1.0)) if spacing_mm is None else ("mm", spacing_mm)
    pairs = {"": (truth.whole, found.whole)}
    pairs |= {f"_{_key(name)}": (mask, found.parts[name]) for name, mask in truth.parts.items() if name in found.parts}
    scores: dict[str, float] = {}
    for suffix, (one, other) in pairs.items():
        scores[f"dsc{suffix}"] = dice(one & known, other & known)
        scores[f"hd95_{unit}{suffix}"] = hausdorff95(one & known, other & known, spacing)
    return scores


def dice(one: Bools, other: Bools) -> float:
    """Return the Dice coefficient; 1 where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def hausdorff95(one: Bools, other: Bools, spacing: tuple[float, float, float]) -> float:
    """Return the larger of both directions' 95th percentile of surface distances; NaN where either is empty.

    The distance is that of Huttenlocher et al. 1993 with the maximum replaced, between centres of surface voxels.
    """
    if not one.any() or not other.any():
        return float("nan")
    box = _box(one | other)
    first, second = _surface(one[box]), _surface(other[box])
    to_second = ndimage.distance_transform_edt(~second, spacing)[first]
    to_first = ndimage.distance_transform_edt(~first, spacing)[second]
    return float(max(np.percentile(to_second, 95), np.percentile(to_first, 95)))


def _box(mask: Bools) -> tuple[slice, ...]:
    """Return the smallest box around a mask: all that a distance between its surfaces can depend on."""
    return tuple(ndimage.find_objects(mask.astype(np.uint8))[0])


def _surface(mask: Bools) -> Bools:
    """Return the voxels with a face outside; in a single slice, with an edge outside."""
    if len(mask) > 1:
        return np.asarray(mask & ~ndimage.binary_erosion(mask, ndimage.generate_binary_structure(3, 1)))
    return np.asarray(mask & ~ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 1)[None]))


def _key(name: str) -> str:
    return name.replace(" ", "_").replace("-", "_")


def spacing_of(image: Any) -> tuple[float, float, float] | None:
    """Return an image's spacing in mm, slices first; None where nothing states it."""
    spacing = getattr(image, "spacing_mm", None)
    if spacing is None or image.stack.text("windowed"):
        return None
    return tuple(spacing) if len(spacing) == 3 else (1.0, *spacing)
