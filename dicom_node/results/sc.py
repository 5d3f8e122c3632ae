"""The altered radiograph: a Secondary Capture with the source's pixel description and other pixels (PS3.3 A.8)."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.uid import SecondaryCaptureImageStorage
from pydicom.valuerep import VR

from dicom_node.errors import ProofError
from dicom_node.findings import ErasedImage
from dicom_node.results.concepts import PIXEL_MASK, PROCESSED_FROM, concept
from dicom_node.results.grey import MODALITY, VOI
from dicom_node.results.request import Request
from dicom_node.results.sources import Sources, referred

IMAGE_PIXEL = (
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "PixelAspectRatio"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
)
"""The Image Pixel module (PS3.3 C.7.6.3), less what is worked out from the pixels themselves."""

SIDES = ("PatientOrientation", "ViewPosition", "ViewCodeSequence", "AnatomicRegionSequence")
"""What says where left is, and what is seen, beside the body part and its side; copied, never filled."""

STATE = (
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
    *("BurnedInAnnotation", "RecognizableVisualFeatures"),
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
    result.update(sources.sides(result))
    result.SOPClassUID = SecondaryCaptureImageStorage
    result.SOPInstanceUID = request.uid("result", "SC", index)
    result.InstanceNumber = index + 1
    result.Modality = request.encoding.sc_modality
    result.ConversionType = "WSD"
    result.ImageType = ["DERIVED", "SECONDARY"]
    result.DerivationDescription = _derivation(request, erased)
    result.DerivationCodeSequence = [concept(PIXEL_MASK)]
    result.SourceImageSequence = [_source(sources)]
    result.add_new("PixelData", "OW", _stored_bytes(erased, source))
    return result


def described(source: Dataset) -> Dataset:
    """Return what an altered image keeps of its source: pixel description, grey scale, view and spacing."""
    keywords = (*IMAGE_PIXEL, *MODALITY, *VOI, *SIDES, *STATE, "ImagerPixelSpacing")
    result = _copied(source, (*keywords, *(SPACING if source.get("PixelSpacing") else ())))
    result.setdefault("PatientOrientation", None)  # Type 2C (PS3.3 C.7.6.1)
    return correct_ambiguous_vr(result, is_little_endian=True)


def sided(source: Dataset) -> Dataset:
    """Return what any picture made of a source keeps of it: sides, compression, what can be recognised."""
    return _copied(source, (*SIDES, *STATE))


def state(source: Dataset) -> Dataset:
    """Return what anything made of a source keeps of it: compression, what was burned in, what can be recognised."""
    return _copied(source, STATE)


def _copied(source: Dataset, keywords: Iterable[str]) -> Dataset:
    result = Dataset()
    for keyword in keywords:
        if keyword in source:
            result[keyword] = copy.deepcopy(source[keyword])
    _drop_empty_sequences(result)
    return result


def _drop_empty_sequences(dataset: Dataset) -> None:
    """Drop sequences without an item, at any depth, which some devices write where an item is required."""
    for element in list(dataset):
        if element.VR == VR.SQ and element.is_empty:
            del dataset[element.tag]
        elif element.VR == VR.SQ:
            for item in element.value:
                _drop_empty_sequences(item)


def _derivation(request: Request, erased: ErasedImage) -> str:
    found = request.findings
    again = "; replaces the image of the run before" if request.is_again else ""
    return (
        f"{len(erased.boxes)} L/R mark(s) erased by inpainting ({erased.method}) by {found.pipeline} {found.version}; "
        f"not for diagnosis; see original{again}"
    )


def _source(sources: Sources) -> Dataset:
    item = referred(sources.stack.frames[0])
    item.PurposeOfReferenceCodeSequence = [concept(PROCESSED_FROM)]
    return item


def _stored_bytes(erased: ErasedImage, source: Dataset) -> bytes:
    kind = "i" if source.PixelRepresentation else "u"
    native = np.dtype(f"<{kind}{source.BitsAllocated // 8}")
    data = erased.stored.astype(native, casting="same_kind").tobytes()
    return data + b"\0" * (len(data) % 2)
