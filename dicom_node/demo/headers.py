"""The headers of the made-up studies, one function per group of modules (PS3.3 A)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from dicom_node.demo.shapes import Point
from dicom_node.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_NAME, derived_uid

SOP_CLASSES: dict[str, str] = {
    "CT": CTImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "SR": BasicTextSRStorage,
}
HU_OFFSET = 1024  # stored value less HU, so that 12 unsigned bits hold air


@dataclasses.dataclass(frozen=True, slots=True)
class Study:
    """One made-up study; the same name and day give the same UIDs."""

    name: str
    day: datetime.date
    description: str

    def uid(self, *parts: str) -> str:
        """Return a UID that belongs to this study."""
        return derived_uid("dicom-node demonstration", self.name, self.day.isoformat(), *parts)


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """One series of a study."""

    study: Study
    number: int
    modality: str
    description: str
    sop_class_uid: str

    @property
    def uid(self) -> str:
        """Its Series Instance UID."""
        return self.study.uid("series", str(self.number))

    def instance(self, number: int) -> Dataset:
        """Return object `number`, from 1, with everything that does not depend on its kind."""
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.SOPClassUID = self.sop_class_uid
        dataset.SOPInstanceUID = self.study.uid("series", str(self.number), "instance", str(number))
        dataset.InstanceNumber = str(number)
        dataset.file_meta = _file_meta(dataset)
        _put_patient(dataset, self.study.day)
        _put_study(dataset, self.study)
        dataset.Modality = self.modality
        dataset.SeriesInstanceUID = self.uid
        dataset.SeriesNumber = str(self.number)
        dataset.SeriesDescription = self.description
        _put_equipment(dataset)
        return dataset


def ct_image(series: Series, number: int, hu: NDArray[np.floating[Any]], position: Point, pixel_mm: float) -> Dataset:
    """Return one axial slice (rows, columns) in HU; position is the centre of its first voxel, LPS mm."""
    dataset = series.instance(number)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    _put_plane(dataset, series.study, position, [1, 0, 0, 0, 1, 0], pixel_mm)
    _put_ct(dataset)
    dataset.SliceLocation = f"{position[2]:.1f}"
    dataset.RescaleType = "HU"
    dataset.ConvolutionKernel = "Br40"
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    put_pixels(dataset, np.clip(np.rint(hu + HU_OFFSET), 0, 4095).astype(np.uint16))
    return dataset


def localizer_image(series: Series, pixels: NDArray[np.uint16], position: Point, pixel_mm: float) -> Dataset:
    """Return a frontal survey picture (rows, columns) of 12 bits, as CT scanners make to plan a scan."""
    dataset = series.instance(1)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    _put_plane(dataset, series.study, position, [1, 0, 0, 0, 0, -1], pixel_mm)
    _put_ct(dataset)
    dataset.ConvolutionKernel = "T20s"
    dataset.WindowCenter, dataset.WindowWidth = "-200", "1600"
    put_pixels(dataset, pixels)
    return dataset


def put_contrast(dataset: Dataset) -> None:
    """Say that iodine was given (PS3.3 C.7.6.4)."""
    dataset.ContrastBolusAgent = "Iohexol 350"
    dataset.ContrastBolusRoute = "IV"
    dataset.ContrastBolusVolume = "80"
    dataset.ContrastBolusIngredient = "IODINE"


def radiograph_image(series: Series, pixels: NDArray[np.uint16], pixel_mm: float) -> Dataset:
    """Return a frontal chest radiograph (rows, columns) of 12 bits, high values white."""
    dataset = series.instance(1)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = "PA"
    dataset.PatientOrientation = ["L", "F"]
    dataset.ImageLaterality = "U"
    dataset.AnatomicRegionSequence = [code("51185008", "SCT", "Chest")]
    dataset.ViewCodeSequence = [code("399348003", "SCT", "postero-anterior")]
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = []
    dataset.AcquisitionContextSequence = []
    _put_detector(dataset, pixel_mm)
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
    put_pixels(dataset, pixels)
    return dataset


def report(series: Series, text: str) -> Dataset:
    """Return a Basic Text SR with one sentence."""
    dataset = series.instance(1)
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.ContentDate, dataset.ContentTime = dataset.StudyDate, dataset.StudyTime
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = [code("11528-7", "LN", "Radiology Report")]
    finding = Dataset()
    finding.RelationshipType, finding.ValueType = "CONTAINS", "TEXT"
    finding.ConceptNameCodeSequence = [code("121071", "DCM", "Finding")]
    finding.TextValue = text
    dataset.ContentSequence = [finding]
    return dataset


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return a coded concept (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def put_pixels(dataset: Dataset, pixels: NDArray[np.uint16]) -> None:
    """Put 12-bit grey pixels (rows, columns) in."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.astype("<u2").tobytes()


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    return meta


def _put_patient(dataset: Dataset, day: datetime.date) -> None:
    dataset.PatientName, dataset.PatientID = "DEMO^CHEST", "DEMO-0001"
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
    dataset.PatientAge = f"{day.year - 1970:03}Y"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Made by a program; no person"


def _put_study(dataset: Dataset, study: Study) -> None:
    dataset.StudyInstanceUID = study.uid("study")
    dataset.StudyID, dataset.AccessionNumber = study.name[:16], f"DEMO{study.day:%y%m%d}"
    dataset.StudyDate, dataset.StudyTime = f"{study.day:%Y%m%d}", "000500"
    dataset.SeriesDate, dataset.SeriesTime = dataset.StudyDate, dataset.StudyTime
    dataset.StudyDescription = study.description
    dataset.ReferringPhysicianName = ""


def _put_equipment(dataset: Dataset) -> None:
    dataset.Manufacturer, dataset.ManufacturerModelName = "dicom-node", "demonstration phantom"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "1", "1"


def _put_moment(dataset: Dataset) -> None:
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.StudyDate, dataset.StudyTime
    dataset.ContentDate, dataset.ContentTime = dataset.StudyDate, dataset.StudyTime
    dataset.AcquisitionNumber = "1"


def _put_plane(dataset: Dataset, study: Study, position: Point, orientation: Sequence[int], pixel_mm: float) -> None:
    """Put the image plane in (PS3.3 C.7.6.2)."""
    dataset.FrameOfReferenceUID = study.uid("frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.PatientPosition = "HFS"
    dataset.ImagePositionPatient = [f"{value:.4f}" for value in position]
    dataset.ImageOrientationPatient = orientation
    dataset.PixelSpacing = [f"{pixel_mm:g}", f"{pixel_mm:g}"]


def _put_ct(dataset: Dataset) -> None:
    """Put what every CT image says of its scan (PS3.3 C.8.2.1)."""
    _put_moment(dataset)
    dataset.BodyPartExamined = "CHEST"
    dataset.KVP = "120"
    dataset.XRayTubeCurrent, dataset.ExposureTime = "180", "500"
    dataset.SliceThickness = "5"
    dataset.RescaleIntercept, dataset.RescaleSlope = str(-HU_OFFSET), "1"


def _put_detector(dataset: Dataset, pixel_mm: float) -> None:
    """Put what a digital detector says (PS3.3 C.8.11.4)."""
    _put_moment(dataset)
    dataset.KVP = "120"
    dataset.Exposure = "2"
    dataset.PositionerType = "COLUMN"
    dataset.DetectorType = "DIRECT"
    dataset.ImagerPixelSpacing = [f"{pixel_mm:g}", f"{pixel_mm:g}"]
    dataset.PixelSpacing = dataset.ImagerPixelSpacing
    dataset.DistanceSourceToDetector = "1800"
