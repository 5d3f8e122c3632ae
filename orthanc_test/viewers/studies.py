"""Studies with results, open in OHIF, and what the pipeline found to hold the viewer's screen against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.results import EncodedFile
from orthanc_test.viewers.ohif_page import OhifPage

Masks = dict[tuple[str, str], NDArray[np.bool_]]
"""(rows, columns), by segment and "SOP Instance UID/frame"; without masks that mark nothing."""


@dataclass(frozen=True)
class OpenStudy:
    """A study in OHIF with the results of one pipeline, and what the pipeline found."""

    page: OhifPage
    stack: Stack
    files: tuple[EncodedFile, ...]
    segmentation: Segmentation | None

    def open(self, kind: str) -> None:
        """Open the first series of a kind of results."""
        self.page.open_series(next(file.series_instance_uid for file in self.files if file.kind == kind))

    def open_segmentation(self) -> None:
        """Open the SEG, and load it where the viewer asks whether it should."""
        self.open("SEG")
        self.page.wait_for_segmentation()
        self.page.confirm()

    def found_masks(self) -> Masks:
        """Return what the pipeline found."""
        assert self.segmentation is not None
        names = {segment.label: segment.name for segment in self.segmentation.segments}
        frames = [f"{frame.sop_instance_uid}/{frame.number or 1}" for frame in self.stack.frames]
        return _masks(names, dict(zip(frames, self.segmentation.labels, strict=True)))

    def shown_masks(self) -> Masks:
        """Return what the viewer lays over the source frames."""
        return _masks({segment.index: segment.label for segment in self.page.segments()}, self.page.labels())

    def misplaced(self) -> list[tuple[str, str]]:
        """Return the segments and frames where the viewer shows another mask than was found, or none, or too many."""
        shown, found = self.shown_masks(), self.found_masks()
        wrong = {place for place in shown.keys() & found.keys() if not np.array_equal(shown[place], found[place])}
        return sorted(wrong | (shown.keys() ^ found.keys()))

    def discoloured(self) -> dict[str, tuple[int, ...]]:
        """Return the colours of the segments that have another than they were found with; CIELab rounds by a few."""
        assert self.segmentation is not None
        wanted = {segment.name: segment.colour for segment in self.segmentation.segments}
        shown = {one.label: one.colour for one in self.page.segments() if one.label in wanted}
        return {name: rgb for name, rgb in shown.items() if np.abs(np.subtract(rgb, wanted[name])).max() > _ROUNDED}


_ROUNDED = 3  # of 255


def _masks(names: Mapping[int, str], planes: Mapping[str, NDArray[Any]]) -> Masks:
    return {
        (name, frame): plane == label
        for label, name in names.items()
        for frame, plane in planes.items()
        if name != "Background" and (plane == label).any()
    }
