"""Which frames of one series belong together, and in which order."""

from __future__ import annotations

import dataclasses
from collections import ChainMap, Counter
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dicom_node.images import FactValue, Frame
from dicom_node.imaging.geometry import Plane, plane_of, position_numbers
from dicom_node.imaging.headers import Values

SAME_ORIENTATION_DEGREES = 1.0

_ALWAYS_APART = {
    "SOPClassUID": 0,
    "Rows": 0,
    "Columns": 0,
    "PixelSpacing": 3,
    "ConvolutionKernel": 0,
    "ImageType": 0,
    "FrameType": 0,
    "EchoTime": 2,
    "DiffusionBValue": 0,
}
"""Attributes that differ between stacks, with the decimals to which numbers are compared."""

_APART_WHERE_POSITIONS_REPEAT = (
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "ContrastBolusAgentPhase",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "FrameAcquisitionDateTime",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
    """One frame with its header: what its object says, and what only this frame says."""

    frame: Frame
    shared: Values
    own: Values

    @cached_property
    def values(self) -> Values:
        """Everything that holds for this frame; the object's own values come first."""
        return ChainMap(dict(self.shared), dict(self.own)) if self.own else self.shared

    @cached_property
    def plane(self) -> Plane | None:
        """Where the frame lies, if its header says."""
        return plane_of(self.values)

    @property
    def order(self) -> tuple[float, str, int]:
        """Instance Number, then SOP Instance UID, then frame number."""
        number = next(iter(self.values.get("InstanceNumber", ())), None)
        known = number if isinstance(number, float) else float("inf")
        return known, self.frame.sop_instance_uid, self.frame.number or 0


def separate(items: Iterable[Item]) -> list[list[Item]]:
    """Split frames into stacks: by what always tells stacks apart, then by time where positions repeat."""
    ordered = sorted(items, key=lambda item: item.order)
    orientations: list[Plane] = []
    groups = _grouped(ordered, ((_key(item), _orientation(item, orientations)) for item in ordered))
    groups = [part for group in groups for part in _by_frame_of_reference(group)]
    for keyword in _APART_WHERE_POSITIONS_REPEAT:
        groups = [part for group in groups for part in _by_repeats(group, keyword)]
    return groups


def in_order(items: Sequence[Item]) -> list[Item]:
    """Sort frames along the slice normal, or by Instance Number where there is no position."""
    first = items[0].plane
    if first is None:
        return sorted(items, key=lambda item: item.order)
    normal = first.normal
    return sorted(items, key=lambda item: (item.plane.origin @ normal if item.plane else 0.0, item.order))


def _grouped(items: Iterable[Item], keys: Iterable[Hashable]) -> list[list[Item]]:
    groups: dict[Hashable, list[Item]] = {}
    for item, key in zip(items, keys, strict=True):
        groups.setdefault(key, []).append(item)
    return list(groups.values())


def _key(item: Item) -> Hashable:
    return tuple(
        tuple(round(value, decimals) if isinstance(value, float) else value for value in item.values.get(keyword, ()))
        for keyword, decimals in _ALWAYS_APART.items()
    )


def _orientation(item: Item, known: list[Plane]) -> int:
    """Return which of the known orientations this frame has; a new one is added to them."""
    if item.plane is None:
        return -1
    for number, plane in enumerate(known):
        if item.plane.turned_by_degrees(plane) <= SAME_ORIENTATION_DEGREES:
            return number
    known.append(item.plane)
    return len(known) - 1


def _by_frame_of_reference(group: list[Item]) -> list[list[Item]]:
    """Split by frame of reference, unless every slice has its own: some de-identifiers replace it per object."""
    values = [item.values.get("FrameOfReferenceUID", ()) for item in group]
    return [group] if len(group) > 2 and len(set(values)) == len(group) else _grouped(group, values)


def _by_repeats(group: list[Item], keyword: str) -> list[list[Item]]:
    """Split a group whose positions repeat by one keyword, if its values tell the repeats apart.

    Where every position comes equally often, the first of each position is one stack, the second another: a time that
    differs from slice to slice separates phases too. Elsewhere equal values make a stack, unless nearly every slice
    has a value of its own.
    """
    positions = _positions(group)
    repeats = Counter(positions.tolist() if positions is not None else ())
    most = max(repeats.values(), default=1)
    values = [item.values.get(keyword, ()) for item in group]
    if positions is None or most == 1 or len(set(values)) == 1:
        return [group]
    if set(repeats.values()) == {most} and len(set(zip(positions.tolist(), values, strict=True))) == len(group):
        return _grouped(group, _ranks(positions.tolist(), values))
    if len(set(values)) <= max(most, len(group) // 2):
        return _grouped(group, values)
    return [group]


def _positions(group: Sequence[Item]) -> NDArray[np.intp] | None:
    planes = [item.plane for item in group]
    if planes[0] is None:
        return None
    normal = planes[0].normal
    return position_numbers(np.array([plane.origin @ normal for plane in planes if plane is not None]))


def _ranks(positions: Sequence[int], values: Sequence[tuple[FactValue, ...]]) -> list[int]:
    """Return for each frame the rank of its value among those at the same position."""
    at_position: dict[int, list[tuple[FactValue, ...]]] = {}
    for position, value in zip(positions, values, strict=True):
        at_position.setdefault(position, []).append(value)
    for found in at_position.values():
        found.sort(key=lambda value: [(isinstance(one, str), one) for one in value])
    return [at_position[position].index(value) for position, value in zip(positions, values, strict=True)]
