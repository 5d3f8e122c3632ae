"""The altered radiograph: a Secondary Capture with the source's pixel description and other pixels (PS3.3 A.8)."""

from __future__ import annotations

import copy

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_node.errors import ProofError
from dicom_node.findings import ErasedImage
from dicom_node.results.concepts import PIXEL_MASK, PROCESSED_FROM, concept
from dicom_node.results.request import Request
from dicom_node.results.sources import Sources

IMAGE_PIXEL = (
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "PixelAspectRatio"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
)
"""The Image Pixel module (PS3.3 C.7.6.3), less what is worked out from the pixels themselves."""

GREY_SCALE = (
    *("RescaleIntercept", "RescaleSlope", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence"),
)
"""The Modality LUT and VOI LUT modules (PS3.3 C.11.1, C.11.2)."""

SIDES = (
    *("BodyPartExamined", "Laterality", "ImageLaterality", "PatientOrientation", "ViewPosition"),
    *("ViewCodeSequence", "AnatomicRegionSequence"),
)
"""What says where left is, and what is seen; copied, never filled."""

STATE = (
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
    *("BurnedInAnnotation", "RecognizableVisualFeatures", "ImagerPixelSpacing"),
)
SPACING = ("PixelSpacing", "PixelSpacingCalibrationType", "PixelSpacingCalibrationDescription")


def encode_erased(request: Request, erased: ErasedImage, index: int, sources: Sources) -> Dataset:
    """Encode an image of which only the boxes were altered.

    Raises:
        ProofError: the pixels do not have the source's size.
    """
    source = sources.first
    if erased.stored.shape != (source.Rows, source.Columns):
        raise ProofError(f"the altered image is {erased.stored.shape}, its source ({source.Rows}, {source.Columns})")
    result = described(source)
    result.SOPClassUID = SecondaryCaptureImageStorage
    result.SOPInstanceUID = request.uid("result", "SC", index)
    result.InstanceNumber = index + 1
    result.Modality = "OT"  # no hanging protocol may take it for the original
    result.ConversionType = "WSD"
    result.ImageType = ["DERIVED", "SECONDARY"]
    result.DerivationDescription = _derivation(request, erased)
    result.DerivationCodeSequence = [concept(PIXEL_MASK)]
    result.SourceImageSequence = [_source(sources)]
    result.add_new("PixelData", "OW", _stored_bytes(erased, source))
    return result


def described(source: Dataset) -> Dataset:
    """Return what an altered image keeps of its source: pixel description, grey scale, sides and spacing."""
    result = Dataset()
    keywords = (*IMAGE_PIXEL, *GREY_SCALE, *SIDES, *STATE)
    for keyword in (*keywords, *(SPACING if source.get("PixelSpacing") else ())):
        if keyword in source:
            result[keyword] = copy.deepcopy(source[keyword])
    result.setdefault("PatientOrientation", None)  # Type 2C (PS3.3 C.7.6.1)
    return correct_ambiguous_vr(result, is_little_endian=True)


def _derivation(request: Request, erased: ErasedImage) -> str:
    found = request.findings
    again = "; replaces the image of the run before" if request.run_number else ""
    return (
        f"{len(erased.boxes)} L/R mark(s) erased by inpainting ({erased.method}) by {found.pipeline} {found.version}; "
        f"not for diagnosis; see original{again}"
    )


def _source(sources: Sources) -> Dataset:
    frame, item = sources.stack.frames[0], Dataset()
    item.ReferencedSOPClassUID = frame.sop_class_uid
    item.ReferencedSOPInstanceUID = frame.sop_instance_uid
    if frame.number is not None:
        item.ReferencedFrameNumber = frame.number
    item.PurposeOfReferenceCodeSequence = [concept(PROCESSED_FROM)]
    return item


def _stored_bytes(erased: ErasedImage, source: Dataset) -> bytes:
    kind = "i" if source.PixelRepresentation else "u"
    native = np.dtype(f"<{kind}{source.BitsAllocated // 8}")
    data = erased.stored.astype(native, casting="same_kind").tobytes()
    return data + b"\0" * (len(data) % 2)
