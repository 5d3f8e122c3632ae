"""One small radiograph in each transfer syntax that is decoded."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import gdcm
import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from dicom_node.imaging.syntaxes import DECODED_AS
from tests.imaging.objects import radiograph

PICTURE = (20 * np.arange(32)[:, None] + 7 * np.arange(48)[None]).astype(np.uint16)  # (32, 48) of 10 bits
EIGHT_BITS = (PICTURE >> 2).astype(np.uint8)
_HTJ2K = base64.b64decode(  # PICTURE, lossless, by OpenJPH
    "/0//UQApQAAAAAAwAAAAIAAAAAAAAAAAAAAAMAAAACAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAANAAAf+TwAAqAJn+ufwBQjQAwAASQAATgABH"
    "dADaavsAgjQAwAASwAAVQH6Ai3QAbNnY/gAIQHdWAMAAE8AAFcDee9pwAnUAtDQajUb74BD2IQHsuADAABWQAAWy7u7u7vPwp6en"
    "wngAWAzDMAzDMAzD/v8QAQge/YQge/YQgey/AMAALTgABdWAJEmSJEmS/X+Ap6enp6enp0J9AKYxxhhjjDHGGGOMMcYYY/7/e+AA"
    "AHv2AAHv2AAHv2AAHv2AAHv2AAHsuwH/2Q=="
)
PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
_BY_PYDICOM = (RLELossless, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000)
_BY_GDCM = (JPEGLossless, JPEGLosslessSV1, JPEGExtended12Bit)
_PROGRESSIVE = tuple(DECODED_AS)
LOSSY = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, *_PROGRESSIVE})
DECODED = (*PLAIN, *_BY_PYDICOM, *_BY_GDCM, *_PROGRESSIVE, JPEGBaseline8Bit, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)


def in_syntax(syntax: UID, folder: Path) -> Dataset:
    """Return a radiograph of PICTURE, or of EIGHT_BITS where the syntax has no more, in a transfer syntax."""
    dataset = radiograph(PICTURE, BitsStored=12, HighBit=11)
    if syntax in _BY_PYDICOM:
        ratios: list[float] | None = [2] if syntax == JPEG2000 else None
        dataset.compress(syntax, generate_instance_uid=False, j2k_cr=ratios)
    elif syntax in _BY_GDCM:
        dataset = _by_gdcm(dataset, syntax, folder)
    elif syntax in {JPEGBaseline8Bit, *_PROGRESSIVE}:
        dataset = _by_libjpeg(syntax)
    elif syntax == ExplicitVRBigEndian:
        dataset.PixelData = PICTURE.astype(">u2").tobytes()
    elif syntax not in PLAIN:
        dataset.PixelData = encapsulate([_HTJ2K])
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _by_libjpeg(syntax: UID) -> Dataset:
    dataset = radiograph(EIGHT_BITS)
    options = [cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_PROGRESSIVE, int(syntax in _PROGRESSIVE)]
    _, stream = cv2.imencode(".jpg", EIGHT_BITS, options)
    dataset.PixelData = encapsulate([stream.tobytes()])
    return dataset


def _by_gdcm(dataset: Dataset, syntax: UID, folder: Path) -> Dataset:
    plain, changed = str(folder / "plain"), str(folder / "changed")
    dataset.save_as(plain, enforce_file_format=True)
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(plain)
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(changed)
    assert writer.Write()
    return dcmread(changed)
