"""Synthetic series on disk; the patient in them is invented."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    VLEndoscopicImageStorage,
    generate_uid,
)
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage as MultiframeTrueColor

from dicom_node.images import Stack
from dicom_node.imaging import Split, split

AXIAL = (1, 0, 0, 0, 1, 0)
SAGITTAL = (0, 1, 0, 0, 0, -1)
CORONAL = (1, 0, 0, 0, 0, -1)
REAL = Path(__file__).parents[3] / "shared" / "data"
PATIENT = {
    "PatientName": "Muster^Erika",
    "PatientID": "MRN-90210",
    "PatientBirthDate": "19641108",
    "PatientAddress": "Heidestrasse 17",
    "OtherPatientIDs": "OLD-4711",
    "ReferringPhysicianName": "Hausarzt^Hans",
    "ReferringPhysicianTelephoneNumbers": "0123-456",
    "OperatorsName": "Tech^Tina",
    "AccessionNumber": "ACC-7788",
    "PatientComments": "Frau Muster klagt",
    "ImageComments": "Muster, Erika",
}


def ct(position: Sequence[float] = (0, 0, 0), value: int = 0, **attributes: Any) -> Dataset:
    """Return one CT slice of 4 x 6 pixels of 0.5 x 0.7 mm, each of the stored value, HU = value - 1024."""
    dataset = _object(CTImageStorage, "CT", np.full((4, 6), value, dtype=np.uint16))
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.FrameOfReferenceUID = "1.2.3.4"
    dataset.ImagePositionPatient = list(position)
    dataset.ImageOrientationPatient = list(AXIAL)
    dataset.PixelSpacing = [0.5, 0.7]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    return _with(dataset, attributes)


def ct_series(count: int, spacing_mm: float = 2.0, **attributes: Any) -> list[Dataset]:
    """Return axial slices towards the head; the stored value of slice k is k."""
    return [ct((0, 0, spacing_mm * k), k, InstanceNumber=k + 1, **attributes) for k in range(count)]


def radiograph(pixels: Any, **attributes: Any) -> Dataset:
    """Return one DX image For Presentation of the given pixels (rows, columns), MONOCHROME2, without a window."""
    dataset = _object(DigitalXRayImageStorageForPresentation, "DX", np.asarray(pixels))
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    return _with(dataset, attributes)


def multi_frame_ct(positions: Iterable[Sequence[float]], times: Sequence[int] = ()) -> Dataset:
    """Return one Enhanced CT object; the stored value of frame k (from 0) is k, HU = 2 * k - 1000."""
    places = list(positions)
    pixels = np.stack([np.full((4, 6), k, dtype=np.uint16) for k in range(len(places))])
    dataset = _object(EnhancedCTImageStorage, "CT", pixels)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.FrameOfReferenceUID = "1.2.3.4"
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[0.5, 0.7], SliceThickness=2)]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(AXIAL))]
    shared.PixelValueTransformationSequence = [_item(RescaleSlope=2, RescaleIntercept=-1000)]
    shared.CTReconstructionSequence = [_item(ConvolutionKernel="Br40")]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame_groups(place, times[k : k + 1]) for k, place in enumerate(places)
    ]
    return dataset


def photograph(rgb: NDArray[np.uint8], **attributes: Any) -> Dataset:
    """Return one endoscopic object of red, green, blue ([frames,] rows, columns, 3), uncompressed."""
    dataset = _object(MultiframeTrueColor if rgb.ndim == 4 else VLEndoscopicImageStorage, "ES", rgb[..., 0])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.PixelData = rgb.tobytes()
    return _with(dataset, attributes)


def stacks(folder: Path, datasets: Iterable[Dataset], caller: str = "SCANNER") -> Split:
    """Write the objects to a folder and split them."""
    paths = []
    for number, dataset in enumerate(datasets):
        path = folder / f"{number:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append((str(path), caller))
    return split("1.2.3", "1.2.3.1", paths)


def only(folder: Path, datasets: Iterable[Dataset]) -> Stack:
    """Write the objects and return the one stack that they are."""
    (stack,) = stacks(folder, datasets).stacks
    return stack


def _frame_groups(position: Sequence[float], time: Sequence[int]) -> Dataset:
    groups = Dataset()
    groups.PlanePositionSequence = [_item(ImagePositionPatient=list(position))]
    groups.CTImageFrameTypeSequence = [_item(FrameType=["ORIGINAL", "PRIMARY", "AXIAL", "NONE"])]
    groups.FrameContentSequence = [_item(**({"TemporalPositionIndex": time[0]} if time else {"FrameComments": "x"}))]
    return groups


def _object(sop_class_uid: str, modality: str, pixels: NDArray[Any]) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class_uid, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    dataset.Modality = modality
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    set_pixels(dataset, pixels)
    return _with(dataset, PATIENT)


def set_pixels(dataset: Dataset, pixels: NDArray[Any]) -> None:
    """Put pixels ([frames,] rows, columns) of 8 or 16 bits into an object."""
    bits = 8 * pixels.dtype.itemsize
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()


def _item(**attributes: Any) -> Dataset:
    return _with(Dataset(), attributes)


def _with(dataset: Dataset, attributes: dict[str, Any]) -> Dataset:
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset
