"""One series on disk to stacks: the frames that belong together, ordered, with what their headers say."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from pydicom import Dataset

from dicom_node.encoding.narrow import Decoded
from dicom_node.errors import ObjectError
from dicom_node.images import Facts, FactValue, Frame, Stack
from dicom_node.imaging.geometry import plane_name, position_numbers
from dicom_node.imaging.headers import (
    Values,
    frame_values,
    items_of,
    merged,
    naming,
    read_header,
    values_of,
    values_of_frames,
)
from dicom_node.imaging.kinds import STANDING_ALONE, object_kind, stack_kind
from dicom_node.imaging.separate import Item, in_order, separate
from dicom_node.uids import digest

_OUR_NAME = "dicom-node"
_MAX_FRAMES = 100_000  # a spoilt header that says more would fill the memory


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
    opened: dict[str, _Object] = {}
    unreadable: list[tuple[str, str]] = []
    for path, caller in objects:
        try:
            one = _open(str(path))
        except ObjectError as error:
            unreadable.append((str(path), error.problem))
            continue
        opened.setdefault(one.sop_instance_uid, one).callers.append(caller)
    groups = [group for items in _together(list(opened.values())) for group in separate(items)]
    groups.sort(key=lambda group: min(item.order for item in group))
    stacks = tuple(
        Stack(study_uid, series_uid, tuple(item.frame for item in items), _facts(items, opened))
        for items in map(in_order, groups)
    )
    return Split(stacks, tuple(unreadable))


def stack_id(stack: Stack) -> str:
    """Return 32 hex digits that the same frames give again, whatever their order, until one is corrected."""
    frames = sorted(f"{frame.sop_instance_uid}#{frame.number or 0}" for frame in stack.frames)
    return digest(*frames, *([f"correction {stack.correction}"] if stack.correction else []))[:32]


@dataclasses.dataclass(frozen=True, slots=True)
class _Object:
    sop_instance_uid: str
    items: tuple[Item, ...]  # one per frame
    ours: bool
    callers: list[str] = dataclasses.field(default_factory=list)

    @property
    def alone(self) -> bool:
        """Say whether the object is a stack of its own."""
        return object_kind(self.items[0].shared) in STANDING_ALONE


def _open(path: str) -> _Object:
    """Read one header."""
    header = read_header(path)
    with naming(path, "its header cannot be read"):
        shared = values_of(header.dataset)
        items = tuple(_items(path, header, shared))
        return _Object(str(header.dataset.SOPInstanceUID), items, _is_ours(header.dataset))


def _items(path: str, header: Decoded, shared: Values) -> Iterator[Item]:
    """Yield one item per frame; an object that is no image, or is not cut into frames, gives one."""
    dataset, count = header.dataset, int(_first_number(shared, "NumberOfFrames", 1))
    whole = count <= 1 and not header.groups and "PerFrameFunctionalGroupsSequence" not in dataset
    if whole or object_kind(shared) == "non-image":
        yield Item(_frame(path, dataset, None), shared, {})
        return
    if count > _MAX_FRAMES:
        raise ObjectError(path, f"says that it has {count} frames, more than the {_MAX_FRAMES} that are read")
    for number, own in zip(range(1, max(count, 1) + 1), _own_values(header), strict=False):
        yield Item(_frame(path, dataset, number), shared, own)


def _own_values(header: Decoded) -> Iterator[Values]:
    """Yield the values of each frame's own functional groups, without end; none of a frame that has none."""
    if header.groups:
        return itertools.chain(values_of_frames(header), itertools.repeat({}))
    return (frame_values(header.dataset, number) for number in itertools.count(1))


def _frame(path: str, header: Dataset, number: int | None) -> Frame:
    return Frame(path, str(header.SOPClassUID), str(header.SOPInstanceUID), number)


def _first_number(values: Values, keyword: str, default: float) -> float:
    first = next(iter(values.get(keyword, ())), default)
    return first if isinstance(first, float) else default


def _is_ours(header: Dataset) -> bool:
    """Say whether this node made the object (PS3.3 C.12.1, Contributing Equipment); spoilt equipment says nothing."""
    equipment = items_of(header, "ContributingEquipmentSequence")
    return any(_OUR_NAME in str(item.get("ManufacturerModelName", "")).lower() for item in equipment)


def _together(objects: Sequence[_Object]) -> list[tuple[Item, ...]]:
    """Keep objects that stand alone by themselves, and put all others in one list to be separated."""
    rest = tuple(item for one in objects if not one.alone for item in one.items)
    return [*(one.items for one in objects if one.alone), *([rest] if rest else [])]


def _facts(items: Sequence[Item], opened: Mapping[str, _Object]) -> Facts:
    shared = {item.frame.sop_instance_uid: item.shared for item in items}
    sources = [opened[uid] for uid in shared]
    facts = merged([*shared.values(), *(item.own for item in items)])
    computed: dict[str, tuple[FactValue, ...]] = {
        "kind": (stack_kind(facts),),
        "caller": tuple(dict.fromkeys(caller for one in sources for caller in one.callers if caller)),
        "ours": ("true",) if any(one.ours for one in sources) else (),
    }
    return {**facts, **{name: found for name, found in computed.items() if found}, **_extent(items)}


def _extent(items: Sequence[Item]) -> Facts:
    """Return plane, number of positions, their spacing (median) and the length that they cover, where the header says.

    Where frames repeat positions, `repeats` is how often at most.
    """
    planes = [item.plane for item in items]
    first = planes[0]
    if first is None or None in planes:
        return {"slices": (float(len(items)),)}
    along = np.array([plane.origin @ first.normal for plane in planes if plane is not None])
    ranks = position_numbers(along)
    distances = along[np.unique(ranks, return_index=True)[1]]  # one per position
    found: Facts = {"plane": (plane_name(first.normal),), "slices": (float(len(distances)),)}
    if len(distances) < len(along):
        found = {**found, "repeats": (float(np.bincount(ranks).max()),)}
    if len(distances) < 2:
        return found
    spacing = float(np.median(np.diff(distances)))
    extent = float(distances[-1] - distances[0]) + spacing
    return {**found, "spacing_mm": (round(spacing, 4),), "extent_mm": (round(extent, 4),)}
