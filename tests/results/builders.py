"""Synthetic CT series and radiographs on disk, and findings made by hand for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    VideoEndoscopicImageStorage,
    VLEndoscopicImageStorage,
)

from dicom_node.findings import Box, Classification, Code, Detection, ErasedImage, Findings, Segment, Segmentation
from dicom_node.images import Frame, Stack
from dicom_node.results.request import EncodedFile, Request

AT = datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)
STUDY, SERIES, SPACE = "1.2.826.0.1.1", "1.2.826.0.1.2", "1.2.826.0.1.3"

ORGAN = Code("91723000", "SCT", "Anatomical Structure")
LIVER = Code("10200004", "SCT", "Liver")
KIDNEY = Code("64033007", "SCT", "Kidney")
LUNG = Code("39607008", "SCT", "Lung")
LEFT, RIGHT = Code("7771000", "SCT", "Left"), Code("24028007", "SCT", "Right")

AXIAL = (1, 0, 0, 0, 1, 0)
NEGATED = (-1, 0, 0, 0, -1, 0)
OBLIQUE = (0.96, 0.28, 0, -0.28 * 0.8, 0.96 * 0.8, 0.6)


def header(sop_class: UID, modality: str, uid: str) -> FileDataset:
    """Return what every synthetic object has."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, UID(uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.Modality, dataset.Manufacturer, dataset.SeriesNumber, dataset.InstanceNumber = modality, "Synthetic", 2, 1
    dataset.PatientName, dataset.PatientID = "Syntheticus^Patiens", "SYN-0001"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.AccessionNumber, dataset.StudyID = "19700101", "O", "A1", "S1"
    dataset.StudyDate, dataset.StudyTime, dataset.ReferringPhysicianName = "20260302", "080910", "Synthetica^Medica"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    return dataset


def add_pixels(dataset: Dataset, pixels: NDArray[Any], bits: int = 12) -> None:
    """Put native pixels of 16 bits in a data set."""
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (
        1,
        dataset.get("PhotometricInterpretation", "MONOCHROME2"),
    )
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, bits, bits - 1, 0
    dataset.add_new("PixelData", "OW", pixels.astype("<u2").tobytes())


def ct_series(folder: Path, **geometry: Any) -> Stack:
    """Write the slices of `ct_slices`."""
    return Stack(STUDY, SERIES, tuple(_save(one, folder, {}) for one in ct_slices(**geometry)), {})


def ct_slices(
    *,
    slices: int = 6,
    shape: tuple[int, int] = (20, 24),
    orientation: Sequence[float] = AXIAL,
    spacing: tuple[float, float] = (0.8, 0.8),
    step_mm: float = 2.5,
    reverse: bool = False,
    shear_mm: float = 0.0,
    **attributes: Any,
) -> Iterator[FileDataset]:
    """Yield CT slices along the normal, or against it where `reverse`; each lies `shear_mm` lower."""
    normal = np.cross(orientation[:3], orientation[3:])
    for k in range(slices):
        uid = f"{SERIES}.{k + 1}"
        dataset = header(CTImageStorage, "CT", uid)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        position = np.array([-101.5, -90.25, 30.0]) + normal * step_mm * (-k if reverse else k)
        position += np.array(orientation[3:]) * shear_mm * k
        dataset.ImagePositionPatient = [f"{value:.6f}" for value in position]
        dataset.ImageOrientationPatient = [f"{value:.6f}" for value in orientation]
        dataset.PixelSpacing, dataset.SliceThickness = list(spacing), step_mm
        dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = SPACE, ""
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType, dataset.KVP = -1024, 1, "HU", 120
        dataset.AcquisitionNumber, dataset.InstanceNumber = 1, k + 1
        add_pixels(dataset, np.full(shape, k))
        _change(dataset, attributes)
        yield dataset


def without(stack: Stack, place: int) -> Stack:
    """Return a stack that lacks one of its frames."""
    return replace(stack, frames=(*stack.frames[:place], *stack.frames[place + 1 :]))


def enhanced_ct(folder: Path, *, frames: int = 6, shape: tuple[int, int] = (20, 24)) -> Stack:
    """Write one multi-frame CT; the stack holds all frames but the first, in reverse."""
    dataset = header(EnhancedCTImageStorage, "CT", f"{SERIES}.1")
    dataset.NumberOfFrames, dataset.FrameOfReferenceUID = frames, SPACE
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(AXIAL))]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[0.8, 0.8], SliceThickness=2.5)]
    shared.PixelValueTransformationSequence = [_item(RescaleSlope=1, RescaleIntercept=0, RescaleType="HU")]
    dataset.SharedFunctionalGroupsSequence = [shared]
    positions = [_item(ImagePositionPatient=[-101.5, -90.25, 2.5 * k]) for k in range(frames)]
    dataset.PerFrameFunctionalGroupsSequence = [_item(PlanePositionSequence=[one]) for one in positions]
    add_pixels(dataset, np.zeros((frames, *shape)))
    frame = _save(dataset, folder, {})
    numbered = [Frame(frame.path, frame.sop_class_uid, frame.sop_instance_uid, n) for n in range(frames, 1, -1)]
    return Stack(STUDY, SERIES, tuple(numbered), {})


def radiograph(folder: Path, *, sop_class: UID = ComputedRadiographyImageStorage, **attributes: Any) -> Stack:
    """Write one chest radiograph of 12 bits, MONOCHROME1."""
    modality = "DX" if sop_class == DigitalXRayImageStorageForPresentation else "CR"
    dataset = header(sop_class, modality, f"{SERIES}.1")
    dataset.BodyPartExamined, dataset.ViewPosition = "CHEST", "PA"
    dataset.PatientOrientation, dataset.PhotometricInterpretation = ["L", "F"], "MONOCHROME1"
    dataset.ImagerPixelSpacing, dataset.WindowCenter, dataset.WindowWidth = [0.2, 0.2], 2000, 4000
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    pixels = np.arange(40 * 36).reshape(40, 36) % 4096
    add_pixels(dataset, pixels)
    return Stack(STUDY, SERIES, (_save(dataset, folder, attributes),), {})


def endoscopy(folder: Path, **attributes: Any) -> Stack:
    """Write one endoscopic picture in colour, of the size of `lungs`."""
    dataset = header(VLEndoscopicImageStorage, "ES", f"{SERIES}.1")
    dataset.AcquisitionContextSequence, dataset.AnatomicRegionSequence = [], [_item(CodeValue="71854001")]
    region = dataset.AnatomicRegionSequence[0]
    region.CodingSchemeDesignator, region.CodeMeaning = "SCT", "Colon"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.Rows, dataset.Columns, dataset.PatientOrientation, dataset.LossyImageCompression = 40, 36, "", "00"
    pixels = np.random.default_rng(2).integers(0, 255, (40, 36, 3), dtype=np.uint8)
    dataset.add_new("PixelData", "OB", pixels.tobytes())
    return Stack(STUDY, SERIES, (_save(dataset, folder, attributes),), {})


def film(folder: Path, *, frames: int = 6) -> Stack:
    """Write one endoscopic film, uncompressed."""
    stack = endoscopy(folder)
    dataset = dcmread(stack.frames[0].path)
    dataset.NumberOfFrames, dataset.FrameTime, dataset.FrameIncrementPointer = frames, 500, 0x00181063
    dataset.PixelData = dataset.PixelData * frames
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = VideoEndoscopicImageStorage
    dataset.save_as(stack.frames[0].path)
    frame = replace(stack.frames[0], sop_class_uid=str(dataset.SOPClassUID))
    return replace(stack, frames=tuple(replace(frame, number=n) for n in range(1, frames + 1)))


def findings(*found: Any, **settings: Any) -> Findings:
    return Findings("organs_ct", "1.2", {"organs-small": "ab" * 32}, settings or {"threshold": 0.5}, found)


def organs(shape: tuple[int, ...], *, leftward: bool = True) -> Segmentation:
    """Return a liver and two kidneys; the left kidney has the greater column where columns grow to the left."""
    labels = np.zeros(shape, dtype=np.uint8)
    depth = slice(0, 1) if shape[0] == 1 else slice(1, shape[0] - 1)
    labels[depth, 2:7, 3:9] = 1
    labels[depth, 10:14, 2:6] = 3 if leftward else 2
    labels[depth, 10:14, 15:20] = 2 if leftward else 3
    segments = (
        Segment(1, "liver", ORGAN, LIVER, (180, 60, 60)),
        Segment(2, "left kidney", ORGAN, KIDNEY, (60, 60, 180), LEFT),
        Segment(3, "right kidney", ORGAN, KIDNEY, (60, 180, 60), RIGHT),
    )
    return Segmentation(labels, segments)


def renamed(segment: Segment, label: int) -> Segment:
    """Return the same kind of segment under another label and name."""
    return replace(segment, label=label, name=f"{segment.name} {label}")


def lungs(shape: tuple[int, int] = (40, 36)) -> Segmentation:
    """Return both lungs of a radiograph as one segment without a side."""
    labels = np.zeros((1, *shape), dtype=np.uint8)
    labels[0, 5:30, 4:14] = 1
    labels[0, 5:30, 20:33] = 1
    return Segmentation(labels, (Segment(1, "lungs", ORGAN, LUNG, (90, 160, 220)),))


def sided_lungs() -> Segmentation:
    """Return the lungs of a frontal radiograph whose columns grow to the patient's left."""
    both = lungs()
    labels = both.labels.copy()
    labels[0, :, 18:] *= 2
    right = replace(both.segments[0], name="right lung", laterality=RIGHT)
    return Segmentation(labels, (right, replace(right, label=2, name="left lung", laterality=LEFT)))


MARK = Box("L mark", Code("111099", "DCM", "Selected region"), 3, 4, 9.5, 8, 0.93)


def erased(stack: Stack) -> ErasedImage:
    pixels = dcmread(stack.frames[0].path).pixel_array.copy()
    pixels[4:8, 3:10] = 77
    return ErasedImage(pixels, (MARK,), "border mean")


def marks() -> Detection:
    return Detection(MARK.code, (MARK,))


def contrast() -> Classification:
    question = Code("C0009924", "UMLS", "Contrast medium")
    answer = Code("373066001", "SCT", "Yes")
    return Classification("contrast", question, "enhanced", answer, 0.98, "9 of 9 slices voted", "ContrastBolusAgent")


def request(stack: Stack, *found: Any, **changes: Any) -> Request:
    kinds = ("SC", "SR") if any(isinstance(one, ErasedImage) for one in found) else ("SEG", "SR")
    values: Mapping[str, Any] = {"outputs": kinds, "at": AT, "title": "Organs of CT"} | changes
    return Request(findings(*found), stack, **values)


def only(files: Sequence[EncodedFile], kind: str) -> FileDataset:
    """Read the one file of a kind."""
    (path,) = [file.path for file in files if file.kind == kind]
    return dcmread(path)


def measurement_groups(report: Dataset) -> list[Dataset]:
    """Return the items of a report's Imaging Measurements; none where it has no such container."""
    containers = [item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010"]
    return [group for container in containers for group in container.ContentSequence]


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _change(dataset: Dataset, attributes: Mapping[str, Any]) -> None:
    for keyword, value in attributes.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)


def _save(dataset: FileDataset, folder: Path, attributes: Mapping[str, Any]) -> Frame:
    _change(dataset, attributes)
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return Frame(str(path), str(dataset.SOPClassUID), str(dataset.SOPInstanceUID))
