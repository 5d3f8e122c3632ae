"""Segmentations: one label map to one BINARY Segmentation object (PS3.3 A.51)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from highdicom.seg import Segmentation as SegmentationObject
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, CTImageStorage, ExplicitVRLittleEndian

from dicom_node.errors import ProofError
from dicom_node.findings import Segment, Segmentation
from dicom_node.images import Frame
from dicom_node.results import provenance
from dicom_node.results.concepts import concept
from dicom_node.results.request import Request
from dicom_node.results.sources import Plane, Sources

_STAND_IN_UID = "2.25.{}"


def present(segmentation: Segmentation) -> tuple[Segment, ...]:
    """Return the segments with at least one pixel, in their given order; their place here is their number.

    Raises:
        ProofError: a label of the map has no segment.
    """
    counts = np.zeros(0, dtype=np.int64)
    for plane in segmentation.labels:
        more = np.bincount(plane.ravel())
        counts = np.pad(counts, (0, max(0, len(more) - len(counts))))
        counts[: len(more)] += more
    known = {segment.label for segment in segmentation.segments}
    unknown = {int(label) for label in np.flatnonzero(counts)} - known - {0}
    if unknown:
        raise ProofError(f"labels {sorted(unknown)} of the label map have no segment")
    return tuple(one for one in segmentation.segments if one.label < len(counts) and counts[one.label])


def encode_segmentation(request: Request, segmentation: Segmentation, index: int, sources: Sources) -> Dataset:
    """Encode a label map that marks at least one pixel.

    Raises:
        ProofError: the label map is not on the source's grid, or several frames have no frame of reference.
    """
    _on_grid(segmentation.labels, sources)
    segments = present(segmentation)
    encoded = SegmentationObject(
        source_images=_stand_ins(sources),
        pixel_array=_numbered(segmentation.labels, segments),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(request, one, number) for number, one in enumerate(segments, 1)],
        series_instance_uid=request.uid("series", "SEG"),
        series_number=provenance.SERIES_NUMBERS["SEG"],
        sop_instance_uid=request.uid("result", "SEG", index),
        instance_number=index + 1,
        manufacturer=provenance.MANUFACTURER,
        manufacturer_model_name=provenance.MANUFACTURER,
        software_versions=request.findings.version,
        device_serial_number=request.device_uid.removeprefix("2.25."),
        content_label=_label(request.findings.pipeline),
        content_description=_description(request),
        content_creator_name=f"{provenance.MANUFACTURER}^",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=not request.empty_frames,
    )
    _derive_dimensions(encoded, request.uid("dimensions", "SEG", index))
    _cite(encoded, sources)
    _copy_sides(encoded, sources)
    return encoded


def _on_grid(labels: NDArray[np.unsignedinteger], sources: Sources) -> None:
    wanted = (len(sources.stack.frames), sources.first.Rows, sources.first.Columns)
    if labels.shape != wanted:
        raise ProofError(f"the label map is {labels.shape}, its source {wanted}")
    if sources.planes is None and wanted[0] > 1:
        raise ProofError(f"{wanted[0]} frames without a frame of reference cannot be segmented together")


def _stand_ins(sources: Sources) -> list[Dataset]:
    """Return one single-frame image per frame of the stack, numbered by its UID, for the encoder to take after.

    Multi-frame objects and sparse headers thus look the same to it; `_cite` puts the true references back.
    """
    planes = sources.planes or (None,) * len(sources.stack.frames)
    return [_stand_in(sources, k, plane) for k, plane in enumerate(planes)]


def _stand_in(sources: Sources, k: int, plane: Plane | None) -> Dataset:
    first, image = sources.first, Dataset()
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"):
        setattr(image, keyword, "")
    for keyword in ("StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"):
        setattr(image, keyword, "")
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if first.get(keyword):
            image[keyword] = first[keyword]
    image.StudyInstanceUID, image.SeriesInstanceUID = first.StudyInstanceUID, first.SeriesInstanceUID
    image.Rows, image.Columns, image.Modality = first.Rows, first.Columns, first.get("Modality", "OT")
    image.SOPInstanceUID = _STAND_IN_UID.format(k)
    image.SOPClassUID = ComputedRadiographyImageStorage if plane is None else CTImageStorage
    if plane is not None:
        _place(image, sources, plane)
    return image


def _place(image: Dataset, sources: Sources, plane: Plane) -> None:
    assert sources.planes is not None  # noqa: S101  # there is a plane
    shared = sources.planes[0]
    image.FrameOfReferenceUID = sources.first.FrameOfReferenceUID
    image.PositionReferenceIndicator = sources.first.get("PositionReferenceIndicator", "")
    image.ImagePositionPatient = [_ds(value) for value in plane.position]
    image.ImageOrientationPatient = [_ds(value) for value in shared.orientation]
    image.PixelSpacing = [_ds(value) for value in shared.spacing_mm]
    # Type 1C where frames are samples of a volume; the distance between slices stands in for it (PS3.3 C.7.6.16.2.1)
    thickness = shared.thickness_mm or sources.gap_mm
    image.SliceThickness = None if thickness is None else _ds(thickness)
    if sources.gap_mm is not None:
        image.SpacingBetweenSlices = _ds(sources.gap_mm)  # measured: what headers state here is often wrong


def _ds(value: float) -> str:
    """Write a number in the 16 characters of a Decimal String."""
    return next(text for digits in range(16, 0, -1) if len(text := f"{value:.{digits}g}") <= 16)


def _numbered(labels: NDArray[np.unsignedinteger], segments: tuple[Segment, ...]) -> NDArray[np.uint8]:
    """Turn labels into segment numbers, which count from 1 without a gap (PS3.3 C.8.20.2)."""
    table = np.zeros(max(one.label for one in segments) + 1, dtype=np.uint8)
    for number, one in enumerate(segments, 1):
        table[one.label] = number
    numbered: NDArray[np.uint8] = table[labels]
    return numbered


def _described(request: Request, segment: Segment, number: int) -> SegmentDescription:
    description = SegmentDescription(
        segment_number=number,
        segment_label=segment.name,
        segmented_property_category=concept(segment.category),
        segmented_property_type=concept(segment.type),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=provenance.segment_algorithm(request),
        tracking_uid=request.tracking_uid(segment.name),
        tracking_id=f"{request.findings.pipeline} {segment.name}",
        display_color=CIELabColor.from_rgb(*segment.colour),
    )
    if segment.laterality is not None:
        modifiers = [concept(segment.laterality)]  # PS3.3 C.8.20.2, CID 244
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = modifiers
    return description


def _label(pipeline: str) -> str:
    """Return a Code String for a content label (PS3.3 10.12)."""
    return "".join(one if one.isascii() and one.isalnum() else "_" for one in pipeline.upper())[:16]


def _description(request: Request) -> str:
    again = "; replaces the run before" if request.run_number else ""
    return f"AI {request.findings.pipeline} {request.findings.version}"[: 64 - len(again)] + again


def _derive_dimensions(encoded: Dataset, uid: str) -> None:
    """Replace the random UID of the dimensions by one that the same request gives again."""
    for item in (*encoded.DimensionOrganizationSequence, *encoded.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _cite(encoded: Dataset, sources: Sources) -> None:
    """Put the true instances, with their frame numbers, where the stand-ins are cited."""
    cited = {
        id(source): source  # the encoder lets frames of several segments share one item
        for groups in encoded.PerFrameFunctionalGroupsSequence
        for derivation in groups.get("DerivationImageSequence", ())
        for source in derivation.SourceImageSequence
    }
    for source in cited.values():
        k = int(source.ReferencedSOPInstanceUID.rsplit(".", 1)[1])
        _refer(source, sources.stack.frames[k])
    instances = list(_instances(sources))
    encoded.SourceImageSequence = list(_instances(sources))
    for series in encoded.ReferencedSeriesSequence:
        series.ReferencedInstanceSequence = instances


def _refer(item: Dataset, frame: Frame) -> None:
    item.ReferencedSOPClassUID = frame.sop_class_uid
    item.ReferencedSOPInstanceUID = frame.sop_instance_uid
    if frame.number is not None:
        item.ReferencedFrameNumber = frame.number


def _instances(sources: Sources) -> Iterable[Dataset]:
    for uid, header in sources.headers.items():
        item = Dataset()
        item.ReferencedSOPClassUID = header.SOPClassUID
        item.ReferencedSOPInstanceUID = uid
        yield item


def _copy_sides(encoded: Dataset, sources: Sources) -> None:
    """Copy what the source says of sides; PatientOrientation is Type 2C where no plane says it (PS3.3 C.7.6.1)."""
    for keyword in ("BodyPartExamined", "Laterality"):
        if keyword in sources.first:
            encoded[keyword] = sources.first[keyword]
    if sources.planes is None:
        encoded.PatientOrientation = sources.first.get("PatientOrientation")
