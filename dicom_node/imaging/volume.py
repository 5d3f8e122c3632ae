"""A stack to a volume: one regular grid of slices, or an error that names the slice that breaks it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from dicom_node.errors import GeometryError, ObjectError
from dicom_node.images import Frame, Stack, Volume
from dicom_node.imaging.geometry import AXIAL, SAME_POSITION_MM, Plane, numbers, plane_of
from dicom_node.imaging.headers import Values, frame_values, naming, values_of
from dicom_node.imaging.limits import NO_LIMITS, PixelLimits
from dicom_node.imaging.pixels import read_object, stored_pixels
from dicom_node.imaging.possible import refuse_impossible
from dicom_node.imaging.remarks import SourceRemarks

_NEEDED = tuple(  # what a volume is made from: to read every attribute of every slice takes longer than its pixels
    Tag(keyword)
    for keyword in (
        *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SpacingBetweenSlices", "SliceThickness"),
        *("RescaleSlope", "RescaleIntercept", "Modality", "SharedFunctionalGroupsSequence"),
    )
)
_CT_CLASSES = frozenset({CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage})
_PLANE_ATTRIBUTES = frozenset({"ImagePositionPatient", "ImageOrientationPatient"})
_READERS = min(4, os.cpu_count() or 1)  # threads; more would only wait for the interpreter
_TILT_DEGREES = 1.0  # between the slice normal and the line through the slices' positions
_UNEVEN_FRACTION = 0.01  # of the spacing
_UNEVEN_MM = 0.1  # rounding in the header, for slices that are not much thinner than this
_SLACK = 1e-6  # of the spacing: 1.3 less 1.2 is more than 0.1 in binary numbers


def read_volume(stack: Stack, limits: PixelLimits = NO_LIMITS) -> Volume:
    """Read a stack's pixels in its order of frames: float32, after rescale (Hounsfield units for CT).

    Returns:
        The volume on the source grid; array[k] is stack.frames[k], slices grow along the slice normal.

    Raises:
        GeometryError: naming the SOP Instance at which positions repeat, a slice is missing, spacing is uneven, the
            gantry is tilted, sizes differ, or the position is absent.
        ObjectError: naming the object whose pixels are too many or cannot be decoded, whose header holds an
            impossible number, or which is CT without Rescale Slope and Intercept.
    """
    if not stack.frames:
        raise ObjectError(stack.series_uid, "the stack has no frames")
    slices = _Slices(stack.frames, limits)
    planes, headers = zip(*slices.read(), strict=True)
    return Volume(
        slices.array,
        _affine(stack.frames, planes, headers),
        stack.text("FrameOfReferenceUID"),
        stack,
        remarks=slices.remarks.texts,
    )


class _Slices:
    """Frames on their way to one array: each object is opened once for as long as its frames follow each other."""

    def __init__(self, frames: Sequence[Frame], limits: PixelLimits) -> None:
        self._limits = limits
        self.remarks = SourceRemarks()
        self.array: NDArray[np.float32] = np.empty((0, 0, 0), dtype=np.float32)
        self._first: Plane | None = None
        self._count = len(frames)
        by_object = itertools.groupby(enumerate(frames), key=lambda numbered: numbered[1].path)
        self._objects = [dict(numbered) for _, numbered in by_object]

    def read(self) -> list[tuple[Plane, Values]]:
        """Fill the array, and return where each frame lies and what its header says.

        The first object comes first: the others are held against it. Of several errors the first slice's is raised.
        """
        found = self._read(self._objects[0])
        with ThreadPoolExecutor(_READERS, "volume") as readers:  # pixels are read and rescaled beside each other
            for others in readers.map(self._read, self._objects[1:]):
                found += others
        return found

    def _read(self, frames: Mapping[int, Frame]) -> list[tuple[Plane, Values]]:
        found: list[tuple[Plane, Values]] = []
        first = next(iter(frames.values()))
        dataset = read_object(first)
        shared = _shared(first, dataset)
        decoded = stored_pixels(dataset, [*frames.values()], self.remarks, self._limits, self._count)
        for (k, frame), stored in zip(frames.items(), decoded, strict=True):
            with naming(frame.sop_instance_uid, "its header cannot be read"):
                own = frame_values(dataset, frame.number) if frame.number else {}
            values = {**own, **shared}
            refuse_impossible(frame.sop_instance_uid, values)
            _refuse_unscaled_ct(frame, values)
            plane = _plane(frame, values, self._first, alone=self._count == 1)
            if k == 0:
                self._first = plane
                if stored.ndim == 2:  # only now is it known that there are as many pixels as the header says
                    self.array = np.empty((self._count, *stored.shape), dtype=np.float32)
            _check_size(frame, stored, self.array)
            _rescale(stored, values, self.array[k])
            found.append((plane, values))
        return found


def _shared(frame: Frame, dataset: Dataset) -> Values:
    with naming(frame.sop_instance_uid, "its header cannot be read"):
        if dataset.get("ModalityLUTSequence"):
            raise ObjectError(frame.sop_instance_uid, "has a Modality LUT, not a rescale slope and intercept")
        return values_of(Dataset({tag: dataset.get_item(tag) for tag in _NEEDED if tag in dataset}))


def _refuse_unscaled_ct(frame: Frame, values: Values) -> None:
    """Refuse CT whose stored values cannot be turned into Hounsfield units (Type 1: PS3.3 C.8.2.1)."""
    missing = [keyword for keyword in ("RescaleSlope", "RescaleIntercept") if keyword not in values]
    if missing and (frame.sop_class_uid in _CT_CLASSES or "CT" in values.get("Modality", ())):
        named = " and ".join(missing)
        raise ObjectError(frame.sop_instance_uid, f"CT without {named}: its values are not known in Hounsfield units")


def _check_size(frame: Frame, stored: NDArray[Any], array: NDArray[np.float32]) -> None:
    if stored.ndim != 2:
        raise GeometryError(frame.sop_instance_uid, "its pixels are in colour; a volume has one sample per pixel")
    if stored.shape != array.shape[1:]:
        raise GeometryError(frame.sop_instance_uid, f"its size is {stored.shape}, the first slice's {array.shape[1:]}")


def _plane(frame: Frame, values: Values, first: Plane | None, *, alone: bool) -> Plane:
    plane = plane_of(values)
    if plane is None and alone and not values.keys() >= _PLANE_ATTRIBUTES:
        return AXIAL  # one slice without a position is still a slice, e.g. for a contrast gate
    if plane is None:
        raise GeometryError(frame.sop_instance_uid, "no usable Image Position and Orientation (Patient)")
    if first and (degrees := plane.turned_by_degrees(first)) > _TILT_DEGREES:
        raise GeometryError(frame.sop_instance_uid, f"turned by {degrees:.1f} degrees against the first slice")
    return plane


def _rescale(stored: NDArray[Any], values: Values, out: NDArray[np.float32]) -> None:
    """Write slope * stored + intercept to `out` (PS3.3 C.11.1)."""
    slope, intercept = numbers(values, "RescaleSlope", 1), numbers(values, "RescaleIntercept", 1)
    np.multiply(stored, np.float32(1 if slope is None else slope[0]), out=out, casting="unsafe")
    out += np.float32(0 if intercept is None else intercept[0])


def _affine(frames: Sequence[Frame], planes: Sequence[Plane], headers: Sequence[Values]) -> NDArray[np.float64]:
    """Return (4, 4): (slice, row, column, 1) -> LPS mm (PS3.3 C.7.6.2.1.1)."""
    spacing = numbers(headers[0], "PixelSpacing", 2)
    if spacing is None or min(spacing) <= 0:
        raise GeometryError(frames[0].sop_instance_uid, "no usable Pixel Spacing")
    first = planes[0]
    affine = np.eye(4)
    affine[:3, 0] = _slice_step(frames, planes) if len(planes) > 1 else first.normal * _thickness(headers[0])
    affine[:3, 1] = first.along_column * spacing[0]
    affine[:3, 2] = first.along_row * spacing[1]
    affine[:3, 3] = first.origin
    return affine


def _thickness(values: Values) -> float:
    """Return how far a single slice reaches, mm."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        found = numbers(values, keyword, 1)
        if found is not None and found[0] > 0:
            return float(found[0])
    return 1.0


def _slice_step(frames: Sequence[Frame], planes: Sequence[Plane]) -> NDArray[np.float64]:
    """Return the vector (3,) from one slice to the next, mm, once every slice is known to be where it should."""
    origins = np.array([plane.origin for plane in planes])  # (slices, 3)
    steps = np.diff(origins @ planes[0].normal)
    _no_repeats(frames, steps)
    _no_tilt(frames, origins, planes[0].normal)
    _even(frames, steps)
    step: NDArray[np.float64] = (origins[-1] - origins[0]) / (len(origins) - 1)
    offsets = np.linalg.norm(origins - origins[0] - np.outer(np.arange(len(origins)), step), axis=1)
    worst = int(np.argmax(offsets))
    if offsets[worst] > max(1.0, float(np.median(steps)) / 2) * (1 + _SLACK):
        raise GeometryError(frames[worst].sop_instance_uid, f"lies {offsets[worst]:.2f} mm beside the line of slices")
    return step


def _no_repeats(frames: Sequence[Frame], steps: NDArray[np.float64]) -> None:
    for frame, before, step in zip(frames[1:], frames, steps, strict=False):
        if step <= SAME_POSITION_MM:
            where = "repeats the position of" if step >= -SAME_POSITION_MM else "lies out of order, below"
            raise GeometryError(frame.sop_instance_uid, f"{where} {before.sop_instance_uid}")


def _no_tilt(frames: Sequence[Frame], origins: NDArray[np.float64], normal: NDArray[np.float64]) -> None:
    line = origins[-1] - origins[0]
    degrees = float(np.degrees(np.arccos(np.clip(line @ normal / np.linalg.norm(line), -1, 1))))
    if degrees > _TILT_DEGREES:
        raise GeometryError(
            frames[0].sop_instance_uid,
            f"the gantry is tilted: its slices are stacked {degrees:.1f} degrees off their normal",
        )


def _is_grid(steps: NDArray[np.float64], tolerance: float) -> bool:
    """Say whether each slice lies within a tolerance, mm, of where the best even spacing puts it.

    Positions rounded to 0.1 mm do so, though their steps differ by 0.1 mm, which is much of a thin slice's spacing.
    """
    places, numbers = np.concatenate([[0.0], np.cumsum(steps)]), np.arange(len(steps) + 1)
    even = np.polynomial.Polynomial.fit(numbers, places, 1)(numbers)
    return bool(np.abs(places - even).max() <= tolerance)


def _even(frames: Sequence[Frame], steps: NDArray[np.float64]) -> None:
    spacing = float(np.median(steps))
    tolerance = max(_UNEVEN_FRACTION * spacing, min(_UNEVEN_MM, spacing / 4)) + _SLACK * spacing
    if _is_grid(steps, tolerance):
        return
    for frame, step in zip(frames[1:], steps, strict=True):
        if abs(step - spacing) <= tolerance:
            continue
        absent = round(step / spacing) - 1
        if absent > 0 and abs(step - (absent + 1) * spacing) <= tolerance * (absent + 1):
            raise GeometryError(
                frame.sop_instance_uid,
                f"{absent} slice(s) missing before it: {step:.2f} mm where {spacing:.2f} is usual",
            )
        raise GeometryError(
            frame.sop_instance_uid, f"spacing is uneven: {step:.2f} mm before it where {spacing:.2f} is usual"
        )
