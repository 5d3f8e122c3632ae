"""Segmentations: one label map to one Segmentation object, BINARY, FRACTIONAL or LABELMAP (PS3.3 A.51, C.8.20)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import UID, SegmentationStorage

from dicom_node.errors import ProofError
from dicom_node.findings import Code, Segment, Segmentation
from dicom_node.results import provenance
from dicom_node.results.concepts import concept
from dicom_node.results.request import Reference, Request
from dicom_node.results.seg_frames import SegFrame, counted, dimensions, per_frame_groups, planned
from dicom_node.results.seg_pixels import MAX_FRACTION, SYNTAXES, Planes, describe_pixels, pixel_data
from dicom_node.results.sources import Sources, decimal
from dicom_node.results.writing import Made, element

LABEL_MAP_STORAGE = UID("1.2.840.10008.5.1.4.1.1.66.7")
_BACKGROUND = Code("125040", "DCM", "Background")
_INVENTED_MM = (1.0, 1.0)  # between rows and columns
_ST = 1024  # characters in a Short Text (PS3.5 6.2)
_PER_FRAME = "PerFrameFunctionalGroupsSequence"


@dataclasses.dataclass(frozen=True, slots=True)
class MadeSegmentation:
    """An encoded label map, and what others need to cite of it."""

    made: Made
    reference: Reference
    segments: tuple[Segment, ...]  # numbered from 1
    frames: tuple[SegFrame, ...]


def present(segmentation: Segmentation) -> tuple[Segment, ...]:
    """Return the segments with at least one pixel, in their given order; their place here is their number.

    Raises:
        ProofError: a label of the map has no segment.
    """
    marked = set(np.flatnonzero(counted(segmentation.labels).sum(axis=0)).tolist()) - {0}
    unknown = marked - {segment.label for segment in segmentation.segments}
    if unknown:
        raise ProofError(f"labels {sorted(unknown)} of the label map have no segment")
    return tuple(one for one in segmentation.segments if one.label in marked)


def encode_segmentation(request: Request, segmentation: Segmentation, index: int, sources: Sources) -> MadeSegmentation:
    """Encode a label map that marks at least one pixel.

    FRACTIONAL holds the model's probabilities; of a model that gives none it holds occupancy, all or nothing.

    Raises:
        ProofError: the label map is not on the source's grid, or several images have no frame of reference.
    """
    _on_grid(segmentation, sources)
    encoding, segments = request.encoding, present(segmentation)
    frames = planned(segmentation, segments, encoding.seg_type, keep_empty=encoding.empty_frames)
    planes = Planes(segmentation, segments, encoding.seg_type)
    dataset = Dataset()
    _identify(dataset, request, index)
    dataset.SOPInstanceUID = request.uid("result", "SEG", index, _changes(request, sources))
    _cite(dataset, sources)
    _describe_type(dataset, request, segmentation)
    describe_pixels(dataset, planes, frames)
    dataset.Rows, dataset.Columns = segmentation.labels.shape[1:]
    dataset.SegmentSequence = _descriptions(request, segments)
    _lay_out(dataset, request.uid("dimensions", "SEG", index), request, sources)
    dataset.update(sources.sides())
    if sources.planes is None:
        dataset.PatientOrientation = sources.first.get("PatientOrientation")  # Type 2C (PS3.3 C.7.6.1)

    def tail() -> Iterator[bytes]:
        yield from element(_PER_FRAME, per_frame_groups(frames, sources))
        yield from pixel_data(planes, frames, encoding.seg_compression)

    reference = Reference(dataset.SOPClassUID, dataset.SOPInstanceUID, request.uid("series", "SEG"))
    return MadeSegmentation(Made(dataset, tail, SYNTAXES[encoding.seg_compression]), reference, segments, frames)


def _on_grid(segmentation: Segmentation, sources: Sources) -> None:
    labels, fractions = segmentation.labels, segmentation.probabilities
    wanted = (len(sources.stack.frames), int(sources.first.Rows), int(sources.first.Columns))
    if labels.shape != wanted:
        raise ProofError(f"the label map is {labels.shape}, its source {wanted}")
    layers = (len(segmentation.segments), *wanted)
    if fractions is not None and (str(fractions.dtype) != "uint8" or fractions.shape != layers):
        raise ProofError(f"the probabilities are {fractions.dtype} of {fractions.shape}, not uint8 of {layers}")
    if sources.planes is None and len(sources.headers) > 1:
        raise ProofError(f"{wanted[0]} frames without a frame of reference cannot be segmented together")


def _identify(dataset: Dataset, request: Request, index: int) -> None:
    is_map = request.encoding.seg_type == "LABELMAP"
    dataset.SOPClassUID = LABEL_MAP_STORAGE if is_map else SegmentationStorage
    dataset.Modality, dataset.InstanceNumber = "SEG", index + 1
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ContentLabel = provenance.content_label(request)
    dataset.ContentDescription = provenance.content_description(request)
    dataset.ContentCreatorName = f"{provenance.MANUFACTURER}^"


def _changes(request: Request, sources: Sources) -> str:
    """Say in what a SEG differs from those of the first encoder, so that others keep their UIDs."""
    is_changed = {
        "background last": request.encoding.seg_type == "LABELMAP",
        "spaced": sources.planes is None and sources.spacing_mm is not None,
        "invented spacing": sources.planes is None and sources.spacing_mm is None,
    }
    return ", ".join(name for name, holds in is_changed.items() if holds)


def _cite(dataset: Dataset, sources: Sources) -> None:
    """Name the source images, and say what became of their pixels before us."""
    dataset.SourceImageSequence = list(sources.references())
    dataset.ReferencedSeriesSequence = [sources.series_reference()]
    dataset.LossyImageCompression = "00"
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if sources.first.get(keyword):
            dataset[keyword] = sources.first[keyword]


def _describe_type(dataset: Dataset, request: Request, segmentation: Segmentation) -> None:
    dataset.SegmentationType = request.encoding.seg_type
    dataset.SegmentsOverlap = "NO"
    if request.encoding.seg_type == "FRACTIONAL":
        stated = segmentation.probabilities is not None
        dataset.SegmentationFractionalType = "PROBABILITY" if stated else "OCCUPANCY"
        dataset.MaximumFractionalValue = MAX_FRACTION
        dataset.SegmentsOverlap = "UNDEFINED" if stated else "NO"
    if request.encoding.seg_type == "LABELMAP":
        dataset.add_new("PixelPaddingValue", "US", 0)  # the background


def _descriptions(request: Request, segments: Sequence[Segment]) -> list[Dataset]:
    described: list[Dataset] = [_described(request, one, number) for number, one in enumerate(segments, 1)]
    # viewers take a segment's colour by its place in this sequence, so that number 0 stands last
    return [*described, _background(request)] if request.encoding.seg_type == "LABELMAP" else described


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
    if remarks := "; ".join(request.findings.source_remarks):
        description.SegmentDescription = remarks[:_ST]
    if segment.laterality is not None:
        modifiers = [concept(segment.laterality)]  # PS3.3 C.8.20.2, CID 244
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = modifiers
    return description


def _background(request: Request) -> Dataset:
    """Return the description of number 0 in a label map."""
    item = Dataset()
    item.SegmentNumber, item.SegmentLabel = 0, "Background"
    item.SegmentedPropertyCategoryCodeSequence = [concept(_BACKGROUND)]
    item.SegmentedPropertyTypeCodeSequence = [concept(_BACKGROUND)]
    item.SegmentAlgorithmType, item.SegmentAlgorithmName = "AUTOMATIC", request.findings.pipeline
    item.SegmentationAlgorithmIdentificationSequence = provenance.segment_algorithm(request)
    item.RecommendedDisplayCIELabValue = list(CIELabColor.from_rgb(0, 0, 0).value)
    return item


def _lay_out(dataset: Dataset, uid: str, request: Request, sources: Sources) -> None:
    """Say where the frames lie, and how they are told apart."""
    organization, shared = Dataset(), Dataset()
    organization.DimensionOrganizationUID = uid
    dataset.DimensionOrganizationSequence = [organization]
    dataset.DimensionIndexSequence = [_index(uid, *one) for one in dimensions(request.encoding.seg_type, sources)]
    dataset.SharedFunctionalGroupsSequence = [shared]
    if sources.planes is None:
        _lay_flat(shared, request, sources)
        return
    dataset.FrameOfReferenceUID = sources.first.FrameOfReferenceUID
    dataset.PositionReferenceIndicator = sources.first.get("PositionReferenceIndicator", "")
    orientation, measures = Dataset(), Dataset()
    orientation.ImageOrientationPatient = [decimal(value) for value in sources.planes[0].orientation]
    measures.PixelSpacing = [decimal(value) for value in sources.planes[0].spacing_mm]
    # Type 1C where frames are samples of a volume; the distance between slices stands in for it (PS3.3 C.7.6.16.2.1)
    thickness = sources.planes[0].thickness_mm or sources.gap_mm
    measures.SliceThickness = None if thickness is None else decimal(thickness)
    if sources.gap_mm is not None:
        measures.SpacingBetweenSlices = decimal(sources.gap_mm)  # measured: what headers state here is often wrong
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]


def _index(uid: str, keyword: str, group: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = uid
    item.DimensionIndexPointer, item.FunctionalGroupPointer = tag_for_keyword(keyword), tag_for_keyword(group)
    item.DimensionDescriptionLabel = dictionary_description(keyword)
    return item


def _lay_flat(shared: Dataset, request: Request, sources: Sources) -> None:
    """Give the frames of a projection or photograph its pixel spacing; "oriented" also invents an orientation.

    OHIF ends with all that it shows where an object has no Pixel Measures. Where the source knows no spacing 1 mm
    stands for a pixel, as readers assume, and the item says so.
    """
    measures, spacing = Dataset(), sources.spacing_mm or _INVENTED_MM
    measures.PixelSpacing = [decimal(value) for value in spacing]
    measures.SliceThickness = decimal(spacing[0])  # a projection has none, but readers demand a number: a pixel's edge
    if sources.spacing_mm is None:
        measures.PixelSpacingCalibrationDescription = "no spacing known, 1 is a pixel's edge"  # at most 64 characters
    shared.PixelMeasuresSequence = [measures]
    if request.encoding.radiograph_seg == "oriented":
        orientation = Dataset()
        orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        shared.PlaneOrientationSequence = [orientation]
