"""Which frames of one series belong together, and in which order."""

from __future__ import annotations

import dataclasses
from collections import ChainMap, Counter
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property

import numpy as np

from dicom_node.images import FactValue, Frame
from dicom_node.imaging.geometry import Plane, orientations, plane_of, position_numbers
from dicom_node.imaging.headers import Values

_ALWAYS_APART = {
    "SOPClassUID": 0.0,
    "Rows": 0.0,
    "Columns": 0.0,
    "PixelSpacing": 0.001,  # mm
    "ConvolutionKernel": 0.0,
    "ImageType": 0.0,
    "FrameType": 0.0,
    "ComplexImageComponent": 0.0,
    "EchoTime": 0.01,  # ms
    "DiffusionBValue": 1.0,  # s/mm2
}
"""Attributes that differ between stacks, with the largest gap between neighbouring values of one stack."""

_APART_WHERE_POSITIONS_REPEAT = {
    "AcquisitionNumber": 0.0,
    "TemporalPositionIdentifier": 0.0,
    "ContrastBolusAgentPhase": 0.0,
    "AcquisitionTime": 0.0,
    "AcquisitionDateTime": 0.0,
    "FrameAcquisitionDateTime": 0.0,
    "NominalPercentageOfCardiacPhase": 0.5,
    "TriggerTime": 1.0,  # ms
    "KVP": 0.5,
}
_ROUNDING = 1e-9  # of a value: what a decimal string loses as a binary number


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
    """Split frames into stacks: by what always tells stacks apart; where positions repeat by time, then by order."""
    ordered = sorted(items, key=lambda item: item.order)
    makes = zip(*(_clustered(ordered, keyword, gap) for keyword, gap in _ALWAYS_APART.items()), strict=True)
    groups = _grouped(ordered, zip(makes, orientations([item.plane for item in ordered]), strict=True))
    groups = [part for group in groups for part in _by_frame_of_reference(group)]
    for keyword, gap in _APART_WHERE_POSITIONS_REPEAT.items():
        groups = [part for group in groups for part in _by_repeats(group, keyword, gap)]
    groups = [part for group in groups for part in _by_order(group)]
    return [part for group in groups for part in _by_repeats(group, "ContentTime", 0.0)]


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


def _clustered(items: Sequence[Item], keyword: str, gap: float) -> list[tuple[FactValue, ...]]:
    """Return each frame's values of a keyword, numbers replaced by the least of their cluster.

    Neighbouring numbers are of one cluster up to the gap: rounding would part values on both sides of its boundary.
    """
    values = [item.values.get(keyword, ()) for item in items]
    least: dict[float, float] = {}
    before = -np.inf
    for number in sorted({part for value in values for part in value if isinstance(part, float)}):
        near = number - before <= gap + _ROUNDING * abs(number)
        least[number] = least[before] if near else number
        before = number
    return [tuple(least[part] if isinstance(part, float) else part for part in value) for value in values]


def _by_frame_of_reference(group: list[Item]) -> list[list[Item]]:
    """Split by frame of reference, unless every slice has its own: some de-identifiers replace it per object."""
    values = [item.values.get("FrameOfReferenceUID", ()) for item in group]
    return [group] if len(group) > 2 and len(set(values)) == len(group) else _grouped(group, values)


def _by_repeats(group: list[Item], keyword: str, gap: float) -> list[list[Item]]:
    """Split a group whose positions repeat by one keyword, if its values tell the repeats apart.

    Where every position comes equally often, the first of each position is one stack, the second another: a time that
    differs from slice to slice separates phases too. Elsewhere equal values make a stack, unless nearly every slice
    has a value of its own, or every value's slices repeat as often as all of them do.
    """
    positions = _positions(group)
    most = _most_repeats(positions)
    values = _clustered(group, keyword, gap)
    if most == 1 or len(set(values)) == 1:
        return [group]
    if _is_even(positions) and len(set(zip(positions, values, strict=True))) == len(group):
        return _grouped(group, _ranks(positions, values))
    parts = _grouped(group, values)
    tells = len(parts) <= max(most, len(group) // 2) and min(_most_repeats(_positions(part)) for part in parts) < most
    return parts if tells else [group]


def _by_order(group: list[Item]) -> list[list[Item]]:
    """Split a group whose positions repeat by the order in which its frames are numbered.

    Either the numbers run through all positions and then begin again, the last time perhaps not to the end, or each
    position's frames follow each other. A few slices that come twice are no second volume: they stay.
    """
    positions = _positions(group)
    whole = len(set(positions))
    if whole in {1, len(group)} or not positions or not _is_numbered(group):
        return [group]
    runs = _grouped(group, _runs(positions))
    if all(len(run) == whole for run in runs[:-1]) and (len(runs) > 2 or len(runs[-1]) == whole):
        return runs
    numbers = [(item.order[0], float(item.frame.number or 0)) for item in group]
    return _grouped(group, _ranks(positions, numbers)) if _is_even(positions) else [group]


def _runs(positions: Sequence[int]) -> list[int]:
    """Return for each frame how often, up to it, a position came again since the run before."""
    seen: set[int] = set()
    runs, run = [], 0
    for position in positions:
        if position in seen:
            seen, run = set(), run + 1
        seen.add(position)
        runs.append(run)
    return runs


def _is_numbered(group: Sequence[Item]) -> bool:
    """Say whether Instance Numbers, or the frame numbers of one object, put all frames in one order."""
    if len({item.frame.sop_instance_uid for item in group}) == 1:
        return True
    numbers = {(item.order[0], item.frame.number) for item in group}
    return len(numbers) == len(group) and all(np.isfinite(item.order[0]) for item in group)


def _most_repeats(positions: Sequence[int]) -> int:
    return max(Counter(positions).values(), default=1)


def _is_even(positions: Sequence[int]) -> bool:
    return len(set(Counter(positions).values())) == 1


def _positions(group: Sequence[Item]) -> list[int]:
    """Return the rank of each frame's position along the normal; none where the headers give no positions."""
    planes = [item.plane for item in group]
    if planes[0] is None:
        return []
    normal = planes[0].normal
    ranks = position_numbers(np.array([plane.origin @ normal for plane in planes if plane is not None]))
    return [int(rank) for rank in ranks]


def _ranks(positions: Sequence[int], values: Sequence[tuple[FactValue, ...]]) -> list[int]:
    """Return for each frame the rank of its value among those at the same position."""
    at_position: dict[int, list[tuple[FactValue, ...]]] = {}
    for position, value in zip(positions, values, strict=True):
        at_position.setdefault(position, []).append(value)
    ranks: dict[tuple[int, tuple[FactValue, ...]], int] = {}
    for position, found in at_position.items():
        for rank, value in enumerate(sorted(found, key=lambda value: [(isinstance(one, str), one) for one in value])):
            ranks.setdefault((position, value), rank)
    return [ranks[place] for place in zip(positions, values, strict=True)]
