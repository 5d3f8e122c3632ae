"""A folder of DICOM series with SEG or SR objects that say what is true of them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset as Header
from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage, SegmentationStorage

from dicom_node.datasets.cases import Case, Dataset, Kind, Truth
from dicom_node.datasets.names import class_of, kind_of
from dicom_node.datasets.reports import boxes_of, cited_by, label_of
from dicom_node.errors import ObjectError
from dicom_node.explain import stacks_at
from dicom_node.images import Image, Stack
from dicom_node.imaging import ReadSegment, cited_uids, dicom_files, read_segments

SEG: Final = (SegmentationStorage, "1.2.840.10008.5.1.4.1.1.66.7")  # and Label Map Segmentation Storage
SR: Final = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)
FOREGROUND: Final = 255
Valued: TypeAlias = tuple[NDArray[np.bool_], int]


@dataclasses.dataclass(frozen=True, slots=True)
class SegMask:
    """The segments of one or several SEG objects of one stack."""

    paths: tuple[Path, ...]

    def read(self, image: Image, classes: Sequence[str]) -> NDArray[np.uint8]:
        """Return class numbers by the segments' names; 255 where the classes cannot be told apart by them."""
        segments = [one for path in self.paths for one in read_segments(path, image)]
        if not segments:
            raise ObjectError(str(self.paths[0]), "has no segments")
        values = np.zeros(segments[0].mask.shape, np.uint8)
        for mask, value in _valued(segments, classes, str(self.paths[0])):
            values[mask] = value
        return values


def _valued(segments: Sequence[ReadSegment], classes: Sequence[str], where: str) -> list[Valued]:
    """Pair each segment that matters with its value: by what its author called it, else by its type."""
    own = [(one.mask, class_of(one.label, classes) or class_of(one.type, classes)) for one in segments]
    if matched := [(mask, classes.index(name) + 1) for mask, name in own if name is not None]:
        return matched
    kinds = [kind_of(name) for name in classes]
    alike = [one for one in segments if class_of(one.label, kinds) or class_of(one.type, kinds)]
    if alike or len(segments) == 1 or not classes:
        return [(one.mask, FOREGROUND) for one in alike or segments]
    raise ObjectError(where, f"has {', '.join(one.label for one in segments)}; looked for are {', '.join(classes)}")


def read_dicom_dataset(folder: Path) -> Dataset:
    """Pair each stack with the SEG objects, else the SR objects, that cite its images.

    Raises:
        ObjectError: there are no such objects, or one cites no image that is there.
    """
    headers = {path: dcmread(path, stop_before_pixels=True) for path in dicom_files(folder)}
    segs = {path for path, header in headers.items() if header.SOPClassUID in SEG}
    reports = {path: header for path, header in headers.items() if header.SOPClassUID in SR}
    if not segs and not reports:
        raise ObjectError(str(folder), "has no images/, and no DICOM SEG or SR that says what is true of its images")
    patients = {str(header.SOPInstanceUID): str(header.get("PatientID") or "") for header in headers.values()}
    images = _Images(folder, [one for one in stacks_at(folder) if one.text("kind") != "non-image"], patients)
    if segs:
        return images.labelled("masks", {path: cited_uids(path) for path in segs}, lambda paths: SegMask(tuple(paths)))
    kind, truth_of = _reported(reports)
    return images.labelled(kind, {path: cited_by(report) for path, report in reports.items()}, truth_of)


def _reported(reports: Mapping[Path, Header]) -> tuple[Kind, Callable[[Sequence[Path]], Truth]]:
    """Reports tell boxes if any of them outlines one, else labels."""
    if any(boxes_of(report) for report in reports.values()):
        return "boxes", lambda paths: tuple(box for path in paths for box in boxes_of(reports[path]))
    return "classes", lambda paths: label_of(reports[paths[0]])


@dataclasses.dataclass(frozen=True, slots=True)
class _Images:
    """The folder's stacks, and the Patient ID of every object in it."""

    folder: Path
    stacks: Sequence[Stack]
    patients: Mapping[str, str]

    def labelled(
        self, kind: Kind, cited: Mapping[Path, Iterable[str]], truth_of: Callable[[Sequence[Path]], Truth]
    ) -> Dataset:
        """Give each object to the stack that it cites most of."""
        holders: defaultdict[int, list[Path]] = defaultdict(list)
        for path, uids in sorted(cited.items()):
            wanted = set(uids)
            shared = [len(wanted & {frame.sop_instance_uid for frame in stack.frames}) for stack in self.stacks]
            if not any(shared):
                raise ObjectError(str(path), "cites no image that lies in the folder")
            holders[int(np.argmax(shared))].append(path)
        cases = tuple(self._case(self.stacks[k], truth_of(paths)) for k, paths in sorted(holders.items()))
        return Dataset(self.folder, kind, cases, all(case.patient != case.name for case in cases))

    def _case(self, stack: Stack, truth: Truth) -> Case:
        name = str(Path(stack.frames[0].path).relative_to(self.folder))
        return Case(name, stack, self.patients[stack.frames[0].sop_instance_uid] or name, truth)
