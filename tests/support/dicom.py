"""Small synthetic DICOM objects; everything about the patient in them is invented."""

from __future__ import annotations

import zlib
from io import BytesIO

import numpy as np
from pydicom import Dataset, FileDataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    generate_uid,
)

from dicom_node.uids import digest

PATIENT_NAME = "Syntheticus^Patiens"
PATIENT_ID = "SYN-4711"


def ct_slice(
    study_uid: str,
    series_uid: str,
    number: int = 1,
    *,
    shape: tuple[int, int] = (16, 16),
    transfer_syntax_uid: str = ExplicitVRLittleEndian,
) -> FileDataset:
    """Return one axial CT slice of 5 mm, `number` from 1, its pixels a dark ramp that begins with the series' own."""
    dataset = _image(CTImageStorage, "CT", study_uid, series_uid, number, transfer_syntax_uid)
    dataset.ImagePositionPatient = [0, 0, 5.0 * (number - 1)]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[series_uid])
    dataset.PixelSpacing = [1, 1]
    dataset.SliceThickness = 5
    dataset.RescaleIntercept = -1024
    dataset.RescaleSlope = 1
    _set_ramp(dataset, number, shape)
    return _as_read(dataset)


def radiograph(study_uid: str, series_uid: str, *, shape: tuple[int, int] = (32, 32)) -> FileDataset:
    """Return one computed chest radiograph, MONOCHROME2, its pixels a dark ramp that begins with the series' own."""
    dataset = _image(ComputedRadiographyImageStorage, "CR", study_uid, series_uid, 1, ExplicitVRLittleEndian)
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = "PA"
    _set_ramp(dataset, 0, shape)
    return _as_read(dataset)


def series(
    count: int, *, shape: tuple[int, int] = (16, 16), transfer_syntax_uid: str = ExplicitVRLittleEndian
) -> list[FileDataset]:
    """Return `count` CT slices of one new series of a new study."""
    study_uid, series_uid = generate_uid(), generate_uid()
    return [
        ct_slice(study_uid, series_uid, number, shape=shape, transfer_syntax_uid=transfer_syntax_uid)
        for number in range(1, count + 1)
    ]


def encoded(dataset: Dataset) -> bytes:
    """Return a data set's File Format bytes."""
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def deflate_bomb(inflated_mb: int) -> bytes:
    """Return the file of a CT slice in deflated transfer syntax whose pixels are so many MiB of zeros."""
    file = encoded(ct_slice("1.2.1", "1.2.1.1", transfer_syntax_uid=DeflatedExplicitVRLittleEndian))
    data_set = data_set_bytes(file)
    header = zlib.decompress(data_set, -zlib.MAX_WBITS).partition(b"\xe0\x7f\x10\x00")[0]
    stream = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    pixels = b"\xe0\x7f\x10\x00OW\0\0" + (inflated_mb << 20).to_bytes(4, "little")
    zeros = (stream.compress(bytes(1 << 20)) for _ in range(inflated_mb))
    return b"".join([file[: -len(data_set)], stream.compress(header + pixels), *zeros, stream.flush()])


def data_set_bytes(file: bytes) -> bytes:
    """Return what follows the File Meta Information (PS3.10 7.1) in a file's bytes."""
    meta_at = 132 + 12
    length = int(dcmread(BytesIO(file), stop_before_pixels=True).file_meta.FileMetaInformationGroupLength)
    return file[meta_at + length :]


def _image(
    sop_class: UID, modality: str, study_uid: str, series_uid: str, number: int, transfer_syntax_uid: str
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = study_uid
    dataset.SeriesInstanceUID = series_uid
    dataset.Modality = modality
    dataset.InstanceNumber = number
    dataset.PatientName = PATIENT_NAME
    dataset.PatientID = PATIENT_ID
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.StudyDate = "20260102"
    dataset.StudyTime = "030405"
    dataset.AccessionNumber = ""
    return dataset


def _as_read(dataset: Dataset) -> FileDataset:
    """Return a data set that knows its own encoding, as one read from a file does."""
    return dcmread(BytesIO(encoded(dataset)))


def _set_ramp(dataset: Dataset, start: int, shape: tuple[int, int]) -> None:
    rows, columns = shape
    pixels = ((start + np.arange(rows * columns)) & 0x0FFF).astype(np.uint16)  # (rows * columns)
    own = bytes.fromhex(digest(dataset.SeriesInstanceUID))[: rows * columns]  # so that no two series show the same
    pixels[: len(own)] = list(own)
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    big_endian = not dataset.file_meta.TransferSyntaxUID.is_little_endian
    dataset.add_new("PixelData", "OW", pixels.astype(">u2" if big_endian else "<u2").tobytes())
