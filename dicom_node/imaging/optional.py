"""Sequences that cannot be read: left out and named where a result can be made without them."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.tag import BaseTag

from dicom_node.imaging.headers import MALFORMED

_FRAME_GROUPS = frozenset({"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"})
"""Where a multi-frame object says where its frames lie: never optional."""


def leave_out_unreadable(header: Dataset) -> tuple[str, ...]:
    """Remove every sequence of a header that cannot be read, however deep, and return their keywords.

    What can be read stays as the bytes that it is. What is not optional is found missing by whoever needs it.
    """
    unreadable = [tag for tag in _sequences(header) if not _is_readable(header, tag)]
    for tag in unreadable:
        del header[tag]
    return tuple(keyword_for_tag(tag) or str(tag) for tag in unreadable)


def _sequences(dataset: Dataset) -> Iterator[BaseTag]:
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        if keyword_for_tag(tag) not in _FRAME_GROUPS and (raw.VR == "SQ" or (raw.VR is None and _is_sequence(tag))):
            yield tag


def _is_sequence(tag: BaseTag) -> bool:
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:  # a private attribute in Implicit VR
        return False


def _is_readable(dataset: Dataset, tag: BaseTag) -> bool:
    """Say whether a sequence and all in it can be read; the element itself stays undecoded."""
    raw = dataset.get_item(tag)
    try:
        items = convert_raw_data_element(raw, ds=dataset).value if isinstance(raw, RawDataElement) else raw.value
        return all(_is_readable(item, nested) for item in items or () for nested in _sequences(item))
    except MALFORMED:
        return False
