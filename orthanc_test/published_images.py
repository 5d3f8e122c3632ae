"""Small images of every kind that the published models take; the patient in them is invented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    VLEndoscopicImageStorage,
)

from dicom_node.uids import derived_uid

GRADIENT_ECHO = {"MRAcquisitionType": "3D", "ScanningSequence": "GR", "SequenceVariant": "SP", "ScanOptions": ""}
T1 = {**GRADIENT_ECHO, "EchoTime": 3, "RepetitionTime": 9, "InversionTime": 900, "EchoTrainLength": 1}
MRA = {**GRADIENT_ECHO, "EchoTime": 4, "RepetitionTime": 22, "EchoTrainLength": 1}


def blobs(shape: tuple[int, int, int], outside: float, inside: float) -> NDArray[np.float64]:
    """A body with two unlike organs off its middle: no turn or mirror of it is itself."""
    z, y, x = (np.linspace(-1, 1, n) for n in shape)
    z, y, x = z[:, None, None], y[None, :, None], x[None, None, :]
    body = (y / 0.8) ** 2 + (x / 0.9) ** 2 < 1
    organ = ((z - 0.2) / 0.5) ** 2 + ((y + 0.2) / 0.35) ** 2 + ((x + 0.35) / 0.4) ** 2 < 1
    other = ((z + 0.3) / 0.3) ** 2 + ((y - 0.3) / 0.2) ** 2 + ((x - 0.4) / 0.25) ** 2 < 1
    grain = np.random.default_rng(0).normal(0, 0.02, shape)
    return np.asarray(outside + (inside - outside) * (0.5 * body + 0.5 * organ + 0.35 * other + grain), np.float64)


def series(name: str, array: NDArray[Any], affine: NDArray[np.float64], **facts: Any) -> list[Dataset]:
    """Return CT or MR slices of (slices, rows, columns) where `affine` (4, 4), to LPS mm, lays them."""
    images = []
    modality = facts.pop("Modality")
    for k, plane in enumerate(array):
        one = _image(CTImageStorage if modality == "CT" else MRImageStorage, modality, name, k)
        step = affine[:3, :3]
        one.ImagePositionPatient = _decimals(affine[:3, 3] + k * step[:, 0])
        along_row, along_column = step[:, 2], step[:, 1]
        spacing = np.linalg.norm(along_column), np.linalg.norm(along_row)
        one.ImageOrientationPatient = _decimals([*(along_row / spacing[1]), *(along_column / spacing[0])])
        one.PixelSpacing, one.SliceThickness = _decimals(spacing), _decimals([np.linalg.norm(step[:, 0])])[0]
        one.FrameOfReferenceUID, one.PositionReferenceIndicator = derived_uid("published", name, "frame"), ""
        one.ImageType, one.AcquisitionNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], 1
        if modality == "CT":
            one.RescaleIntercept, one.RescaleSlope, one.RescaleType, one.KVP = -1024, 1, "HU", 120
        _grey(one, np.rint(plane + (1024 if modality == "CT" else 0)).astype(np.int16))
        _put(one, facts)
        images.append(one)
    return images


def chest() -> Dataset:
    """Return a frontal radiograph of two dark lungs."""
    y, x = np.mgrid[0:300, 0:280]
    picture = 3000 - sum(1800 * (((x - c) / 45) ** 2 + ((y - 150) / 95) ** 2 < 1) for c in (85, 195))
    one = _image(ComputedRadiographyImageStorage, "CR", "CHEST", 0)
    _grey(one, np.asarray(picture, np.int16))
    one.ViewPosition, one.PatientOrientation, one.ImagerPixelSpacing = "PA", ["L", "F"], [1, 1]
    one.ImageType, one.BodyPartExamined, one.PixelIntensityRelationship = ["ORIGINAL", "PRIMARY"], "CHEST", "LIN"
    return one


def colonoscopy() -> Dataset:
    """Return one endoscopic picture in a black frame."""
    rgb = np.zeros((240, 320, 3), np.uint8)
    y, x = np.mgrid[0:220, 0:240]
    rgb[10:230, 70:310] = np.stack([120 + x // 4, 40 + y // 4, 60 + (x + y) // 8], -1)
    one = _image(VLEndoscopicImageStorage, "ES", "COLON", 0)
    one.SamplesPerPixel, one.PhotometricInterpretation, one.PlanarConfiguration = 3, "RGB", 0
    one.Rows, one.Columns, one.BitsAllocated, one.BitsStored, one.HighBit = 240, 320, 8, 8, 7
    one.PixelRepresentation, one.PixelData, one.LossyImageCompression = 0, rgb.tobytes(), "00"
    one.ImageType, one.AcquisitionContextSequence, one.PatientOrientation = ["ORIGINAL", "PRIMARY"], [], ""
    one.AcquisitionDateTime, one.AnatomicRegionSequence = "20260105101112", [_code("71854001", "SCT", "Colon")]
    return one


def axial(spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the affine of slices to the head, rows to posterior, columns to the left."""
    affine = np.eye(4)[[2, 1, 0, 3]]
    affine[:3, :3] *= spacing_mm
    affine[:3, 3] = -60, -70, -80
    return affine


def stored_otherwise(
    array: NDArray[Any], affine: NDArray[np.float64]
) -> Iterator[tuple[str, NDArray[Any], NDArray[np.float64]]]:
    """Yield a name, array and affine of the same anatomy: mirrored on disk, transposed on disk, and turned in space."""
    flipped = affine.copy()
    flipped[:3, 3] = (affine @ [*(n - 1 for n in array.shape), 1])[:3]
    flipped[:3, :3] *= -1
    yield "flipped", array[::-1, ::-1, ::-1], flipped
    yield "rotated", array.transpose(1, 2, 0), affine[:, [1, 2, 0, 3]]
    yield "oblique", array, TURN @ affine


def _turn(degrees_x: float, degrees_z: float) -> NDArray[np.float64]:
    (a, b), (c, d) = ((np.cos(r), np.sin(r)) for r in np.radians([degrees_x, degrees_z]))
    turn = np.eye(4)
    turn[:3, :3] = np.array([[c, -d, 0], [d, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, a, -b], [0, b, a]])
    return turn


TURN = _turn(17, 11)
"""From the plain copy's place to the oblique one's, (4, 4) LPS mm."""


def _decimals(values: Any) -> list[str]:
    return [f"{value:.10g}"[:16] for value in values]


def _grey(one: Dataset, pixels: NDArray[np.int16]) -> None:
    one.Rows, one.Columns = pixels.shape
    one.SamplesPerPixel, one.PhotometricInterpretation, one.PixelRepresentation = 1, "MONOCHROME2", 1
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelData = 15, pixels.tobytes()


def _image(sop_class_uid: str, modality: str, name: str, number: int) -> Dataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    one.SOPClassUID, one.Modality, one.SeriesDescription = sop_class_uid, modality, name
    one.StudyInstanceUID = derived_uid("published", "study", modality)
    one.SeriesInstanceUID = derived_uid("published", name)
    one.SOPInstanceUID = derived_uid("published", name, str(number))
    one.PatientName, one.PatientID, one.PatientSex, one.PatientBirthDate = "PUBLISHED^MODEL", "PUB-1", "O", ""
    one.AccessionNumber = one.StudyID = one.ReferringPhysicianName = one.Manufacturer = ""
    one.StudyDate, one.StudyTime, one.SeriesTime = "20260105", "101112", ""
    one.SeriesNumber, one.InstanceNumber = 1, number + 1
    return one


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _put(one: Dataset, facts: Mapping[str, Any]) -> None:
    for keyword, value in facts.items():
        setattr(one, keyword, value)
