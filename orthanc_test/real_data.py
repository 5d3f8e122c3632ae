"""The real development images, where they are beside the checkout; none of them is in the repository."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from dicom_node.uids import derived_uid

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"


def wrapped_radiographs(folder: Path, count: int) -> list[Path]:
    """Write the first frontal chest radiographs of the collection as DX objects, one study each."""
    folder.mkdir(parents=True)
    with (REAL_DATA / "cxr" / "index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["view"] in ("PA", "AP")][:count]
    return [_wrap(REAL_DATA / "cxr" / "images" / row["file"], row["view"], folder) for row in rows]


def _wrap(image: Path, view: str, folder: Path) -> Path:
    pixels = np.asarray(cv2.imread(str(image), cv2.IMREAD_GRAYSCALE), np.uint8)
    dataset = _header(image.stem)
    dataset.ViewPosition = view
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    path = folder / f"{image.stem}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def _header(name: str) -> Dataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, derived_uid("wrapped", name, keyword))
    dataset.PatientName, dataset.PatientID = f"WRAPPED^{name}", f"ID-{name}"
    dataset.PatientBirthDate = dataset.PatientSex = dataset.AccessionNumber = dataset.StudyID = ""
    dataset.ReferringPhysicianName = dataset.SeriesTime = ""
    dataset.StudyDate, dataset.StudyTime = "20260105", "101112"
    dataset.Modality, dataset.BodyPartExamined = "DX", "CHEST"
    dataset.Manufacturer, dataset.SeriesNumber, dataset.InstanceNumber = "", 1, 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.PatientOrientation = ["L", "F"]
    dataset.ImageLaterality, dataset.BurnedInAnnotation = "U", "YES"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.LossyImageCompression = "01"
    return dataset
