"""The verdict on everything that a pipeline segmented: kept, kept with a remark, or not delivered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dicom_node.anatomy.age import age_years
from dicom_node.anatomy.flat import Flat
from dicom_node.anatomy.organ import Bound, Check, Organ
from dicom_node.anatomy.solid import Solid
from dicom_node.config import Outcome
from dicom_node.errors import ImplausibleError
from dicom_node.findings import Code, Finding, Remark, Segment, Segmentation
from dicom_node.images import Image, Photograph, Radiograph, Volume

Broken: TypeAlias = tuple[Check, str]
"""The kind of bound that does not hold, and the sentence that says so."""

_LEAST_SLICES: Final = 8  # fewer are no volume that has a shape


def judge(
    found: tuple[Finding, ...], image: Image, organs: Sequence[Organ], outcomes: Mapping[str, Outcome]
) -> tuple[Finding, ...]:
    """Return the findings with a remark for each bound that does not hold and need not refuse.

    Args:
        found: what the pipeline found.
        image: what the pipeline looked at.
        organs: the bounds; a segment of another type is not judged.
        outcomes: what follows from each `Check`.

    Raises:
        ImplausibleError: naming the organ, the measure and the bound, where the outcome is "refuse".
    """
    if all(outcome == "ignore" for outcome in outcomes.values()):
        return found
    broken = [one for one in broken_bounds(found, image, organs) if outcomes[one[0]] != "ignore"]
    if refused := [said for check, said in broken if outcomes[check] == "refuse"]:
        raise ImplausibleError("; ".join(refused))
    return (*found, *(Remark(f"unusual: {said}") for _, said in broken))


def broken_bounds(found: Iterable[Finding], image: Image, organs: Sequence[Organ]) -> Iterator[Broken]:
    """Yield every bound that does not hold, organ by organ, side by side."""
    age = age_years(image.stack)
    for segmentation in found:
        if isinstance(segmentation, Segmentation):
            for organ in organs:
                yield from _of_organ(segmentation, image, organ, age)


def _of_organ(segmentation: Segmentation, image: Image, organ: Organ, age: float | None) -> Iterator[Broken]:
    segments = [segment for segment in segmentation.segments if segment.type in organ.types]
    segments.sort(key=_side)
    for _, group in groupby(segments, key=_side):
        members = sorted(group, key=lambda segment: organ.types.index(segment.type))
        mask = np.isin(segmentation.labels, [segment.label for segment in members])
        measures = _measures(mask, image, organ) if mask.any() else None
        if measures is not None and measures.is_measurable:
            yield from _broken(members[0].name, measures, _applying(organ, age, members[0].laterality))


def _applying(organ: Organ, age: float | None, side: Code | None) -> list[Bound]:
    return [bound for bound in organ.bounds if bound.applies_to(age, side)]


def _side(segment: Segment) -> str:
    """Return what parts organs of which a patient has two: the laterality, else the name of an unsided pair."""
    return segment.laterality.value if segment.laterality else segment.name


def _measures(mask: NDArray[np.bool_], image: Image, organ: Organ) -> Solid | Flat | None:
    """Return what measures the mask; None for slices that make up no volume."""
    if isinstance(image, Volume):
        few = min(image.array.shape) < _LEAST_SLICES or image.stack.text("windowed")
        return None if few else Solid(mask, image, organ.tissue)
    if isinstance(image, Radiograph):
        return Flat(mask, image.picture[None], image.spacing_mm)
    return Flat(mask, image.pictures, None) if isinstance(image, Photograph) else None


def _broken(name: str, measures: Any, bounds: Iterable[Bound]) -> Iterator[Broken]:
    for bound in bounds:
        value: float | None = getattr(measures, bound.measure)
        if value is None or bound.low <= value <= bound.high:
            continue
        if not (value < bound.low and bound.measure in _SHRUNK_BY_A_CUT and measures.is_cut):
            yield bound.check, f"the {name} found {bound.sentence(value)}"


_SHRUNK_BY_A_CUT: Final = frozenset({"height_mm", "depth_mm", "breadth_mm", "length_mm", "volume_ml"})
"""Measures that are too small where the field of view shows only a part of the organ."""
