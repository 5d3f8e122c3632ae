"""The two versions of each cell's images; every cell has a study of its own."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from pydicom import FileDataset
from pydicom.uid import UID, RLELossless

from tests.identity.cells import Cell, Extent, Place, What
from tests.identity.expected import Version
from tests.support.dicom import ct_slice


class Images:
    """What is sent for one cell, the `number`th."""

    def __init__(self, cell: Cell, number: int) -> None:
        self.cell = cell
        self.study_uids: dict[str, Version] = {f"1.2.3.{number}.1": "first", f"1.2.3.{number}.2": "second"}
        self.series_uids: dict[str, Version] = {f"1.2.3.{number}.1.1": "first", f"1.2.3.{number}.1.2": "second"}
        self.patients: dict[str, Version] = {f"SYN-{number}-1": "first", f"SYN-{number}-2": "second"}
        self.accession_numbers: dict[str, Version] = {"": "first", f"A{number}": "second"}
        self.first = [self._first(position) for position in (1, 2)]
        changed = self.first if cell.extent == Extent.WHOLE else self.first[:1]
        self.second = [self._second(one) for one in changed]

    @property
    def moved_to(self) -> dict[str, str]:
        """What a PACS changes in a result that it moves along."""
        names = {Place.STUDY: ("StudyInstanceUID", self.study_uids), Place.PATIENT: ("PatientID", self.patients)}
        keyword, values = names[self.cell.place]
        return {keyword: list(values)[1]}

    @property
    def came_twice(self) -> Sequence[str]:
        """The SOP Instance UIDs of which two versions came."""
        return [str(one.SOPInstanceUID) for one in self.second]

    @property
    def came_once(self) -> Sequence[str]:
        """The others."""
        return [str(one.SOPInstanceUID) for one in self.first[len(self.second) :]]

    def _first(self, position: int) -> FileDataset:
        image = ct_slice(next(iter(self.study_uids)), next(iter(self.series_uids)), position)
        image.SOPInstanceUID = UID(f"{image.SeriesInstanceUID}.{position}")
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.PatientID = next(iter(self.patients))
        return image

    def _second(self, first: FileDataset) -> FileDataset:
        image = copy.deepcopy(first)
        for keyword, value in {**self._where(), **self._changes(first)}.items():
            setattr(image, keyword, value)
        if self.cell.what == What.RECOMPRESSED:
            image.compress(RLELossless, generate_instance_uid=False)
        return image

    def _where(self) -> dict[str, str]:
        values = {
            Place.SERIES: ("SeriesInstanceUID", self.series_uids),
            Place.STUDY: ("StudyInstanceUID", self.study_uids),
            Place.PATIENT: ("PatientID", self.patients),
        }
        return {values[self.cell.place][0]: list(values[self.cell.place][1])[1]} if self.cell.place in values else {}

    def _changes(self, first: FileDataset) -> dict[str, object]:
        changes: dict[What, dict[str, object]] = {
            What.HEADER: {"AccessionNumber": list(self.accession_numbers)[1]},
            What.GEOMETRY: {"PixelSpacing": [0.5, 0.5]},
            What.PIXELS: {"PixelData": first.PixelData[::-1]},
        }
        return changes.get(self.cell.what, {})
