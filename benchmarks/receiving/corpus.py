"""Generated objects: one encoded header for each, and pixels that all of a kind share."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

_ROOT = "1.2.826.0.1.3680043.8.498.77"
_MARK = "{:05d}{:07d}"  # round and number stand in the SOP Instance UID, the round in those of study and series


@dataclass(frozen=True)
class Kind:
    """Images of one modality and size."""

    name: str
    sop_class: UID
    shape: tuple[int, int]  # rows, columns; 16 bits each
    count: int

    @cached_property
    def pixels(self) -> bytes:
        """Random pixels, the same in every run."""
        rows, columns = self.shape
        return random.Random(self.name).randbytes(2 * rows * columns)  # noqa: S311 - no secret

    @cached_property
    def _template(self) -> bytes:
        buffer = BytesIO()
        dcmwrite(buffer, _header(self), implicit_vr=False, little_endian=True)
        length = len(self.pixels)
        return buffer.getvalue() + b"\xe0\x7f\x10\x00OW\x00\x00" + length.to_bytes(4, "little")

    def header(self, turn: int, number: int) -> bytes:
        """Return the encoded data set of an object up to its pixels."""
        exact = self._template.replace(_uid(0, 0).encode(), _uid(turn, number).encode())
        return exact.replace(_of_round(0).encode(), _of_round(turn).encode())

    def uid(self, turn: int, number: int) -> str:
        """Return an object's SOP Instance UID."""
        return _uid(turn, number)

    def digests(self, turn: int, count: int) -> dict[str, str]:
        """Return the SHA-256 of each data set of a round, by SOP Instance UID."""
        return {
            _uid(turn, number): hashlib.sha256(self.header(turn, number) + self.pixels).hexdigest()
            for number in range(1, count + 1)
        }

    def write_files(self, folder: Path, turn: int, count: int) -> None:
        """Write a round's objects as files."""
        for number in range(1, count + 1):
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = self.sop_class, _uid(turn, number)
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            empty = Dataset()
            empty.file_meta = meta
            buffer = BytesIO()
            dcmwrite(buffer, empty, enforce_file_format=True)
            path = folder / f"{number:05d}.dcm"
            path.write_bytes(buffer.getvalue() + self.header(turn, number) + self.pixels)


KINDS = {
    "CT": Kind("CT", CTImageStorage, (512, 512), 600),
    "MR": Kind("MR", MRImageStorage, (128, 128), 2000),
    "DX": Kind("DX", DigitalXRayImageStorageForPresentation, (3000, 3000), 20),
}


def read_digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield SOP Instance UID and SHA-256 of the data set of each DICOM file below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if data[128:132] == b"DICM":
                at = 144 + int.from_bytes(data[140:144], "little")
                instance = data.index(b"\x08\x00\x18\x00UI", at)
                length = int.from_bytes(data[instance + 6 : instance + 8], "little")
                uid = data[instance + 8 : instance + 8 + length].rstrip(b"\0").decode()
                yield uid, hashlib.sha256(memoryview(data)[at:]).hexdigest()


def _uid(turn: int, number: int) -> str:
    return f"{_ROOT}.1{_MARK.format(turn, number)}"


def _of_round(turn: int) -> str:
    return f"{_ROOT}.2.1{turn:05d}"


def _header(kind: Kind) -> Dataset:
    """Return a header of the size that such images have; all in it is invented."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind.sop_class, _uid(0, 0)
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = "20260102"
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = "030405.000000"
    dataset.AccessionNumber, dataset.Modality, dataset.Manufacturer = "", kind.name, "Synthetic"
    dataset.ReferringPhysicianName = dataset.PatientName = "Synthetic^Benchmark"
    dataset.StudyDescription = dataset.SeriesDescription = "Benchmark of receiving"
    dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "BENCHMARK", "", "O"
    dataset.BodyPartExamined, dataset.SliceThickness = "CHEST", "1.0"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{_of_round(0)}.1", f"{_of_round(0)}.2"
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, 1
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = kind.shape
    dataset.PixelSpacing = [1, 1]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.RescaleIntercept, dataset.RescaleSlope = "0", "1"
    return dataset
