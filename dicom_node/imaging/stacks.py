"""One series on disk to stacks: the frames that belong together, ordered, with what their headers say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from pydicom import Dataset

from dicom_node.errors import ObjectError
from dicom_node.images import Facts, FactValue, Frame, Stack
from dicom_node.imaging.geometry import plane_name, plane_of
from dicom_node.imaging.headers import frame_values, merged, read_header, values_of
from dicom_node.imaging.kinds import STANDING_ALONE, object_kind, stack_kind
from dicom_node.imaging.separate import Item, in_order, separate
from dicom_node.uids import digest

_OUR_NAME = "dicom-node"


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """What became of one series' objects; each is in a stack or in `unreadable`."""

    stacks: tuple[Stack, ...]
    unreadable: tuple[tuple[str, str], ...]  # path, why


def split(study_uid: str, series_uid: str, objects: Sequence[tuple[str, str]]) -> Split:
    """Read the headers of one series and make its stacks.

    Args:
        study_uid: Study Instance UID that the stacks carry.
        series_uid: Series Instance UID that the stacks carry.
        objects: path and calling AE title of each object; an object that came twice counts once, with both callers.

    Returns:
        Stacks in the order of their first Instance Number; the same objects in any order give the same stacks.
    """
    unreadable: list[tuple[str, str]] = []
    headers: dict[str, tuple[str, Dataset]] = {}
    callers: dict[str, dict[str, None]] = {}
    for path, caller in objects:
        try:
            header = read_header(str(path))
        except ObjectError as error:
            unreadable.append((str(path), error.problem))
            continue
        headers.setdefault(str(header.SOPInstanceUID), (str(path), header))
        callers.setdefault(str(header.SOPInstanceUID), {})[caller] = None
    opened = [_items(path, header, tuple(callers[uid])) for uid, (path, header) in headers.items()]
    groups = [group for items in _together(opened) for group in separate(items)]
    groups.sort(key=lambda group: min(item.order for item in group))
    stacks = tuple(
        Stack(study_uid, series_uid, tuple(item.frame for item in items), _facts(items))
        for items in map(in_order, groups)
    )
    return Split(stacks, tuple(unreadable))


def stack_id(stack: Stack) -> str:
    """Return 32 hex digits that the same frames give again, whatever their order."""
    return digest(*sorted(f"{frame.sop_instance_uid}#{frame.number or 0}" for frame in stack.frames))[:32]


def _items(path: str, header: Dataset, callers: tuple[str, ...]) -> list[Item]:
    """Return one item per frame; an object that is no image, or is not cut into frames, gives one."""
    shared = {**values_of(header), "caller": callers}
    if _is_ours(header):
        shared["ours"] = ("true",)
    count = int(_number(shared.get("NumberOfFrames", ()), 1))
    if object_kind(shared) == "non-image" or ("NumberOfFrames" not in shared):
        return [Item(_frame(path, header, None), shared, {})]
    return [
        Item(_frame(path, header, number), shared, frame_values(header, number))
        for number in range(1, max(count, 1) + 1)
    ]


def _frame(path: str, header: Dataset, number: int | None) -> Frame:
    return Frame(path, str(header.SOPClassUID), str(header.SOPInstanceUID), number)


def _number(values: Sequence[FactValue], default: float) -> float:
    first = next(iter(values), default)
    return first if isinstance(first, float) else default


def _is_ours(header: Dataset) -> bool:
    """Say whether this node made the object (PS3.3 C.12.1, Contributing Equipment)."""
    equipment = header.get("ContributingEquipmentSequence") or ()
    return any(_OUR_NAME in str(item.get("ManufacturerModelName", "")).lower() for item in equipment)


def _together(opened: Sequence[list[Item]]) -> list[list[Item]]:
    """Keep objects that stand alone by themselves, and put all others in one list to be separated."""
    alone = [items for items in opened if object_kind(items[0].shared) in STANDING_ALONE]
    rest = [item for items in opened if object_kind(items[0].shared) not in STANDING_ALONE for item in items]
    return [*alone, rest] if rest else alone


def _facts(items: Sequence[Item]) -> Facts:
    objects = {item.frame.path: item.shared for item in items}
    facts = merged([*objects.values(), *(item.own for item in items if item.own)])
    computed: dict[str, tuple[FactValue, ...]] = {"kind": (stack_kind(facts),), "slices": (float(len(items)),)}
    return {**facts, **computed, **_extent(items)}


def _extent(items: Sequence[Item]) -> Facts:
    """Return plane, spacing between slices (median) and the length that the slices cover, where the header says."""
    planes = [plane_of(item.values) for item in items]
    first = planes[0]
    if first is None or None in planes:
        return {}
    name: Facts = {"plane": (plane_name(first.normal),)}
    distances = np.array([plane.origin @ first.normal for plane in planes if plane is not None])
    if len(distances) < 2:
        return name
    spacing = float(np.median(np.diff(distances)))
    extent = float(distances[-1] - distances[0]) + spacing
    return {**name, "spacing_mm": (round(spacing, 4),), "extent_mm": (round(extent, 4),)}
