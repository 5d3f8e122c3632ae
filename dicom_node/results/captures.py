"""Secondary Captures of the frames that something was drawn on: all in one object, or one for each (PS3.3 A.8)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage, SecondaryCaptureImageStorage

from dicom_node.results.concepts import PIXEL_MASK, PROCESSED_FROM, concept
from dicom_node.results.outlines import Drawn, drawn
from dicom_node.results.overlay import draw, pictures, scale_of
from dicom_node.results.request import Request
from dicom_node.results.sc import sided
from dicom_node.results.sources import Plane, Sources, decimal, referred
from dicom_node.results.writing import Made, large_element

_LARGEST = 1 << 30  # bytes of pixels in one object; more become an object for each frame, as of a long film
_LABEL_VECTOR, _LOCATION_VECTOR = Tag("FrameLabelVector"), Tag("SliceLocationVector")


@dataclasses.dataclass(frozen=True, slots=True)
class Captured:
    """Which frames an object shows, by their index in the stack, in its own order."""

    frames: tuple[int, ...]


def encode_overlays(request: Request, sources: Sources) -> Iterator[tuple[Captured, Made]]:
    """Yield pictures of all frames on which anything was found, in the order in which the source's are scrolled."""
    found = drawn(request)
    by_frame = {k: tuple(these) for k, these in itertools.groupby(found, key=lambda one: one.frame)}
    order = sorted(by_frame, key=lambda k: instance_order(sources, k))
    size = len(order) * 3 * int(np.prod(shape_of(sources)))
    if len(order) > 1 and request.encoding.sc_frames == "multiple" and size <= _LARGEST:
        yield Captured(tuple(order)), _in_one(request, sources, {k: by_frame[k] for k in order})
        return
    for k in order:
        (picture,) = _pictures(request, sources, {k: by_frame[k]})
        yield Captured((k,)), Made(_alone(request, sources, k, picture), series="overlay")


def shape_of(sources: Sources) -> tuple[int, int]:
    """Return the rows and columns of a picture, which is larger than its source where that is small."""
    shape = int(sources.first.Rows), int(sources.first.Columns)
    scale = scale_of(shape)
    return shape[0] * scale, shape[1] * scale


def instance_order(sources: Sources, k: int) -> tuple[int, int, int]:
    """Return what a viewer sorts a source frame by: its Instance Number, then its number in the object."""
    frame = sources.stack.frames[k]
    text = str(sources.headers[frame.sop_instance_uid].get("InstanceNumber") or "").strip()
    return int(text) if text.lstrip("-").isdigit() else 0, frame.number or 0, k


def plane_of_picture(sources: Sources, k: int) -> Plane | None:
    """Return where a picture lies: on its source, the first pixel's centre nearer to the corner if enlarged."""
    if sources.planes is None:
        return None
    plane, scale = sources.planes[k], scale_of((int(sources.first.Rows), int(sources.first.Columns)))
    inwards = (1 / scale - 1) / 2  # of a pixel of the source
    rows, columns = plane.spacing_mm
    return Plane(plane.point(inwards, inwards), plane.orientation, (rows / scale, columns / scale), plane.thickness_mm)


def _pictures(request: Request, sources: Sources, found: Mapping[int, Sequence[Drawn]]) -> Iterator[NDArray[np.uint8]]:
    for these, picture in zip(found.values(), pictures(sources, list(found)), strict=True):
        yield draw(picture, these, _made_by(request))


def _made_by(request: Request) -> str:
    return f"{request.findings.pipeline} {request.findings.version}"


def _alone(request: Request, sources: Sources, k: int, picture: NDArray[Any]) -> Dataset:
    frame, result = sources.stack.frames[k], _described(request, sources)
    result.SOPClassUID = SecondaryCaptureImageStorage
    result.SOPInstanceUID = request.uid("result", "SC", detail=f"overlay {frame.sop_instance_uid} {frame.number or 0}")
    number, frame_number, _ = instance_order(sources, k)
    result.InstanceNumber = frame_number or number or k + 1
    result.SourceImageSequence = [_source(sources, k)]
    plane = plane_of_picture(sources, k)
    if plane is not None:  # attributes of no module of this class, so that viewers scroll it with its source
        for holder in (_measures(plane), _orientation(plane), _position(plane)):
            result.update(holder)
        _in_space(result, sources)
    data = picture.tobytes()
    result.add_new("PixelData", "OB", data + b"\0" * (len(data) % 2))
    return result


def _in_one(request: Request, sources: Sources, found: Mapping[int, Sequence[Drawn]]) -> Made:
    result = _described(request, sources)
    result.SOPClassUID = MultiFrameTrueColorSecondaryCaptureImageStorage
    result.SOPInstanceUID = request.uid("result", "SC", detail="overlay")
    result.InstanceNumber, result.NumberOfFrames = 1, len(found)
    result.SourceImageSequence = [_source(sources, k) for k in found]
    _lay_out(result, sources, list(found))
    length = len(found) * 3 * int(np.prod(shape_of(sources)))

    def tail() -> Iterator[bytes]:
        pixels = (picture.tobytes() for picture in _pictures(request, sources, found))
        yield from large_element("PixelData", "OB", length, pixels)

    return Made(result, tail, series="overlay")


def _described(request: Request, sources: Sources) -> Dataset:
    result = Dataset()
    result.update(sided(sources.first))
    result.update(sources.sides(result))
    result.setdefault("PatientOrientation", None)
    result.Modality, result.ConversionType = request.encoding.sc_modality, "WSD"
    result.ImageType = ["DERIVED", "SECONDARY"]
    result.BurnedInAnnotation = "YES"
    result.DerivationDescription = (
        f"Outlines by {_made_by(request)} drawn on the image; not for diagnosis; see original"
    )
    result.Rows, result.Columns = shape_of(sources)
    result.SamplesPerPixel, result.PhotometricInterpretation, result.PlanarConfiguration = 3, "RGB", 0
    result.BitsAllocated = result.BitsStored = 8
    result.HighBit, result.PixelRepresentation = 7, 0
    return result


def _lay_out(result: Dataset, sources: Sources, frames: Sequence[int]) -> None:
    """Say what each frame was made of and where it lies (PS3.3 A.8.5.4, C.8.6.4)."""
    planes = [plane for k in frames if (plane := plane_of_picture(sources, k)) is not None]
    shared = Dataset()
    result.PerFrameFunctionalGroupsSequence = [_derivation(sources, k) for k in frames]
    result.SharedFunctionalGroupsSequence = [shared]
    if not planes:
        result.FrameIncrementPointer = _LABEL_VECTOR
        result.FrameLabelVector = [f"image {sources.stack.frames[k].number or k + 1}" for k in frames]
        return
    shared.PixelMeasuresSequence = [_measures(planes[0])]
    shared.PlaneOrientationSequence = [_orientation(planes[0])]
    for item, plane in zip(result.PerFrameFunctionalGroupsSequence, planes, strict=True):
        item.PlanePositionSequence = [_position(plane)]
    _in_space(result, sources)
    result.FrameIncrementPointer = _LOCATION_VECTOR
    result.SliceLocationVector = [decimal(float(plane.position @ planes[0].normal)) for plane in planes]


def _in_space(result: Dataset, sources: Sources) -> None:
    result.FrameOfReferenceUID = sources.first.FrameOfReferenceUID
    result.PositionReferenceIndicator = sources.first.get("PositionReferenceIndicator", "")


def _measures(plane: Plane) -> Dataset:
    item = Dataset()
    item.PixelSpacing = [decimal(value) for value in plane.spacing_mm]
    if plane.thickness_mm is not None:
        item.SliceThickness = decimal(plane.thickness_mm)
    return item


def _orientation(plane: Plane) -> Dataset:
    item = Dataset()
    item.ImageOrientationPatient = [decimal(value) for value in plane.orientation]
    return item


def _position(plane: Plane) -> Dataset:
    item = Dataset()
    item.ImagePositionPatient = [decimal(value) for value in plane.position]
    return item


def _derivation(sources: Sources, k: int) -> Dataset:
    item, holder = Dataset(), Dataset()
    item.SourceImageSequence = [_source(sources, k)]
    item.SourceImageSequence[0].SpatialLocationsPreserved = "YES"
    item.DerivationCodeSequence = [concept(PIXEL_MASK)]
    holder.DerivationImageSequence = [item]
    return holder


def _source(sources: Sources, k: int) -> Dataset:
    source = referred(sources.stack.frames[k])
    source.PurposeOfReferenceCodeSequence = [concept(PROCESSED_FROM)]
    return source
