"""The source images of a result: their headers, checked to be of one patient, and where their frames lie."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from dicom_node.errors import ObjectError
from dicom_node.images import Frame, Stack
from dicom_node.imaging.headers import MALFORMED
from dicom_node.imaging.optional import leave_out_unreadable
from dicom_node.results.patient import PATIENT, TYPE_2, Copied, copied, differing
from dicom_node.results.request import Reference

UNPAIRED = frozenset(
    (
        *("ABDOMEN", "ABDOMENPELVIS", "AORTA", "ATLANTOAXIAL", "ATLANTOOCCIPITAL", "BLADDER", "BRAIN"),
        *("CEREBELLUM", "CERVIX", "CHEST", "CHESTABDOMEN", "CHESTABDPELVIS", "CIRCLEOFWILLIS", "COCCYX", "COLON"),
        *("CORONARYARTERY", "CSPINE", "CTSPINE", "DUODENUM", "ESOPHAGUS", "GALLBLADDER", "HEAD", "HEADNECK"),
        *("HEART", "ILEUM", "ILIUM", "JAW", "JEJUNUM", "LARYNX", "LIVER", "LSPINE", "LSSPINE", "MAXILLA"),
        *("MEDIASTINUM", "MOUTH", "NECK", "NECKCHEST", "NECKCHESTABDOMEN", "NECKCHESTABDPELV", "NOSE", "PANCREAS"),
        *("PELVIS", "PENIS", "PHARYNX", "PROSTATE", "RECTUM", "SCALP", "SKULL", "SPINE", "SPLEEN", "SSPINE"),
        *("STERNUM", "STOMACH", "THYMUS", "THYROID", "TLSPINE", "TONGUE", "TRACHEA", "TSPINE", "URETER", "URETHRA"),
        *("UTERUS", "VAGINA", "VULVA", "WHOLEBODY"),
    )
)
"""The terms for Body Part Examined that are of no pair (PS3.16 Annex L)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plane:
    """Where one frame lies in the patient, LPS mm (PS3.3 C.7.6.2.1.1)."""

    position: NDArray[np.float64]  # (3,): centre of the first pixel
    orientation: NDArray[np.float64]  # (6,): direction of a row, then of a column
    spacing_mm: tuple[float, float]  # between rows, between columns
    thickness_mm: float | None

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the plane."""
        return np.cross(self.orientation[:3], self.orientation[3:]).astype(np.float64)

    def point(self, row: float, column: float) -> NDArray[np.float64]:
        """Return the place of a pixel, counted from 0."""
        along_row, along_column = self.orientation[:3], self.orientation[3:]
        return self.position + along_row * column * self.spacing_mm[1] + along_column * row * self.spacing_mm[0]


@dataclasses.dataclass(frozen=True)
class Sources:
    """A stack with the header of each of its instances, pixels left out."""

    stack: Stack
    headers: Mapping[str, Dataset]  # by SOP Instance UID, in the stack's order
    identity: Copied  # of the first header
    left_out: tuple[str, ...] = ()  # keywords of sequences of any header that cannot be read

    @property
    def first(self) -> Dataset:
        """The header that a result takes after."""
        return next(iter(self.headers.values()))

    @cached_property
    def planes(self) -> tuple[Plane, ...] | None:
        """One plane per frame of the stack; None where there is no frame of reference, as in a radiograph."""
        planes = [plane_of(self.headers[frame.sop_instance_uid], frame.number) for frame in self.stack.frames]
        known = tuple(plane for plane in planes if plane is not None)
        return known if len(known) == len(planes) and self.first.get("FrameOfReferenceUID") else None

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """Between rows and columns, as the first header states it: in the patient, else at the detector; None: neither.

        A radiograph whose two spacings agree is one that nobody has calibrated (PS3.3 10.7.1.3).
        """
        if self.planes is not None:
            return self.planes[0].spacing_mm
        return _stated_spacing(self.first, "PixelSpacing") or _stated_spacing(self.first, "ImagerPixelSpacing")

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """The first pixel's place in every frame, (frames, 3) LPS mm; no rows where there is no frame of reference."""
        return np.array([plane.position for plane in self.planes or ()], dtype=np.float64).reshape(-1, 3)

    @cached_property
    def gap_mm(self) -> float | None:
        """Distance between neighbouring slices; None for a single one."""
        if self.planes is None or len(self.planes) < 2:
            return None
        along = self.positions @ self.planes[0].normal
        return float(np.median(np.abs(np.diff(along))))

    @cached_property
    def smallest_edge_mm(self) -> float:
        """The shortest edge of a voxel; infinite where there is no frame of reference."""
        spacing = self.planes[0].spacing_mm if self.planes else (np.inf, np.inf)
        return float(min(*spacing, self.gap_mm or np.inf))

    def references(self) -> Iterator[Dataset]:
        """Yield a reference to each instance (PS3.3 10.3)."""
        for uid, header in self.headers.items():
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, uid
            yield item

    def series_reference(self, keyword: str = "ReferencedInstanceSequence") -> Dataset:
        """Return a reference to the series with all its instances."""
        item = Dataset()
        item.SeriesInstanceUID = self.first.SeriesInstanceUID
        setattr(item, keyword, list(self.references()))
        return item

    def sides(self, beside: Dataset | None = None) -> Dataset:
        """Return what the source says of the body part and its side; for an object of single frames, `beside` the rest.

        Laterality is Type 2C where the body part is one of a pair (PS3.3 C.7.3.1): copied, or else of zero length. A
        body part that neither term nor code names may be one of a pair.
        """
        result = Dataset()
        for keyword in ("BodyPartExamined", "Laterality", "ImageLaterality"):
            if keyword in self.first and not self.first[keyword].is_empty:
                result[keyword] = self.first[keyword]
        is_said = "Laterality" in result or "ImageLaterality" in result
        if beside is None or is_said or "AnatomicRegionSequence" in beside:
            return result
        if str(result.get("BodyPartExamined", "")).strip() not in UNPAIRED:
            result.Laterality = None
        return result

    def frame_numbers(self, sop_instance_uid: str) -> list[int]:
        """Return which frames of an instance belong to the stack; none for a single-frame instance."""
        return [one.number for one in self.stack.frames if one.sop_instance_uid == sop_instance_uid and one.number]


def read_sources(stack: Stack) -> Sources:
    """Read every instance's header once.

    Raises:
        ObjectError: a file cannot be read, is another instance than the stack says, lacks a UID, or is of another
            patient.
    """
    headers: dict[str, Dataset] = {}
    identities: dict[str, Copied] = {}
    left_out: set[str] = set()
    for frame in stack.frames:
        if frame.sop_instance_uid not in headers:
            headers[frame.sop_instance_uid], identities[frame.sop_instance_uid], unreadable = _read(frame)
            left_out.update(unreadable)
    first = next(iter(identities.values()))
    for uid, identity in identities.items():
        _same_patient(uid, first, identity)
    return Sources(stack, headers, first, tuple(sorted(left_out)))


def read_pixels(frame: Frame) -> NDArray[Any]:
    """Decode one frame's stored pixels.

    Raises:
        ObjectError: the pixels cannot be decoded.
    """
    try:
        pixels = dcmread(frame.path, force=True).pixel_array
    except (OSError, AttributeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise ObjectError(frame.sop_instance_uid, f"its pixels cannot be decoded: {error}") from error
    return pixels if pixels.ndim == 2 or frame.number is None else pixels[frame.number - 1]


def referred(frame: Frame) -> Dataset:
    """Return a reference to a frame, to be completed (PS3.3 10.3)."""
    item = Dataset()
    item.ReferencedSOPClassUID = frame.sop_class_uid
    item.ReferencedSOPInstanceUID = frame.sop_instance_uid
    if frame.number is not None:
        item.ReferencedFrameNumber = frame.number
    return item


def evidence(reference: Reference, sources: Sources) -> Dataset:
    """Return what an encoder asks of an object that it cites, of no patient: that is stamped on later."""
    item = Dataset()
    for keyword in TYPE_2:
        setattr(item, keyword, "")
    item.StudyInstanceUID, item.SeriesInstanceUID = sources.first.StudyInstanceUID, reference.series_instance_uid
    item.SOPClassUID, item.SOPInstanceUID = reference.sop_class_uid, reference.sop_instance_uid
    return item


def decimal(value: float) -> str:
    """Write a number in the 16 characters of a Decimal String (PS3.5 6.2)."""
    return next(text for digits in range(16, 0, -1) if len(text := f"{value:.{digits}g}") <= 16)


def plane_of(header: Dataset, number: int | None) -> Plane | None:
    """Read a frame's plane; `number` counts from 1 in a multi-frame object (PS3.3 C.7.6.16.2.3)."""
    if number is None or "PerFrameFunctionalGroupsSequence" not in header:
        return _plane(header, header, header)
    return plane_in((header.PerFrameFunctionalGroupsSequence[number - 1], *header.SharedFunctionalGroupsSequence))


def plane_in(groups: Sequence[Dataset]) -> Plane | None:
    """Read a plane from a frame's own and the shared functional groups."""
    names = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    return _plane(*(_macro(groups, name) for name in names))


def _stated_spacing(header: Dataset, keyword: str) -> tuple[float, float] | None:
    """Return a header's spacing between rows and columns, mm; None where it is absent or cannot be read."""
    try:
        spacing = [float(value) for value in header.get(keyword) or ()]
        return (spacing[0], spacing[1]) if len(spacing) == 2 else None
    except MALFORMED:
        return None


def _plane(positioned: Dataset, oriented: Dataset, measures: Dataset) -> Plane | None:
    position, orientation = positioned.get("ImagePositionPatient"), oriented.get("ImageOrientationPatient")
    spacing, thickness = measures.get("PixelSpacing"), measures.get("SliceThickness")
    if not position or not orientation or not spacing:
        return None
    return Plane(
        np.array(position, dtype=np.float64),
        np.array(orientation, dtype=np.float64),
        (float(spacing[0]), float(spacing[1])),
        None if thickness is None else float(thickness),
    )


def _macro(groups: Sequence[Dataset], keyword: str) -> Dataset:
    """Return the functional group that holds, or an empty one."""
    return next((one[keyword].value[0] for one in groups if one.get(keyword)), Dataset())


def _read(frame: Frame) -> tuple[Dataset, Copied, tuple[str, ...]]:
    try:
        header = dcmread(frame.path, stop_before_pixels=True, force=True)
    except (OSError, InvalidDicomError, EOFError) as error:
        raise ObjectError(frame.sop_instance_uid, f"cannot be read: {error}") from error
    left_out = leave_out_unreadable(header)
    identity = copied(header)  # before anything looks at its elements and so decodes them
    found = header.get("SOPInstanceUID")
    if found != frame.sop_instance_uid:
        raise ObjectError(frame.sop_instance_uid, f"its file holds the instance {found or 'without a UID'}")
    for keyword in ("SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID"):
        if not header.get(keyword):
            raise ObjectError(frame.sop_instance_uid, f"has no {keyword}")
    return header, identity, left_out


def _same_patient(uid: str, first: Copied, other: Copied) -> None:
    names = [name for name in differing(first, other) if name in (*PATIENT, "StudyInstanceUID")]
    if names:
        raise ObjectError(uid, f"differs inside the series in {', '.join(names)}; no result is made")
