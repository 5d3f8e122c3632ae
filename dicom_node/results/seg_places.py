"""A written SEG's functional groups read back: which segment a frame is of, where it lies, and what it cites.

Thousands of frames repeat a few hundred groups byte for byte: each distinct one is decoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from dicom_node.errors import ProofError
from dicom_node.results.sources import Plane, Sources, plane_in

CENTROID_TOLERANCE = 0.5
"""Of the smallest voxel edge."""

Cited = tuple[str, int | None]
"""SOP Instance UID and frame number of a source."""

_OWN_PLANE = ("PlaneOrientationSequence", "PixelMeasuresSequence")  # of a frame that does not share them
_Value = TypeVar("_Value")


class Groups:
    """Reads the items of one SEG's Per-Frame Functional Groups Sequence."""

    def __init__(self, dataset: Dataset, sources: Sources) -> None:
        self._shared = dataset.SharedFunctionalGroupsSequence[0]
        self._sources = sources
        self._known: dict[Hashable, object] = {}

    def number(self, item: Dataset) -> int:
        """Return the segment's number, 0 in a LABELMAP."""
        keyword = "SegmentIdentificationSequence"
        if keyword not in item:
            return 0
        return self._read(item, keyword, lambda: int(item[keyword].value[0].ReferencedSegmentNumber))

    def cited(self, item: Dataset) -> Cited:
        """Return the source frame that a frame is said to be derived from."""
        return self._read(item, "DerivationImageSequence", lambda: _cited(item))

    def place(self, where: str, item: Dataset) -> tuple[int, Plane | None]:
        """Return the index of the source frame in whose place a frame lies, and its plane.

        Raises:
            ProofError: no source frame is there, or the frame has no plane.
        """
        if self._sources.planes is None:
            return self._cited_index(where, self.cited(item)), None
        if "PlanePositionSequence" not in item or any(keyword in item for keyword in _OWN_PLANE):
            return self._nearest(where, item)
        return self._read(item, "PlanePositionSequence", lambda: self._nearest(where, item))

    def _nearest(self, where: str, item: Dataset) -> tuple[int, Plane | None]:
        plane = plane_in((item, self._shared))
        if plane is None:
            raise ProofError(f"{where}: has no plane")
        distances = np.linalg.norm(self._sources.positions - plane.position, axis=1)
        k = int(np.argmin(distances))
        if distances[k] > CENTROID_TOLERANCE * self._sources.smallest_edge_mm:
            raise ProofError(f"{where}: lies {distances[k]:.3f} mm from the nearest source frame")
        return k, plane

    def _cited_index(self, where: str, cited: Cited) -> int:
        for k, frame in enumerate(self._sources.stack.frames):
            if (frame.sop_instance_uid, frame.number) == cited:
                return k
        raise ProofError(f"{where}: cites {cited}, which is no source frame")

    def _read(self, item: Dataset, keyword: str, decode: Callable[[], _Value]) -> _Value:
        """Decode a group, unless the same bytes have been decoded before."""
        raw = item.get_item(keyword)
        if not isinstance(raw, RawDataElement):
            return decode()
        key = keyword, raw.value
        if key not in self._known:
            self._known[key] = decode()
        return cast("_Value", self._known[key])  # the keyword decides what is kept under it


def _cited(item: Dataset) -> Cited:
    source = item.DerivationImageSequence[0].SourceImageSequence[0]
    number = source.get("ReferencedFrameNumber")
    return str(source.ReferencedSOPInstanceUID), None if number is None else int(number)
