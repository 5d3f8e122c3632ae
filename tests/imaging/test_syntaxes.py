from __future__ import annotations

import base64
from pathlib import Path

import cv2
import gdcm
import jpeg_ls
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    JPEG2000MC,
    UID,
    AllTransferSyntaxes,
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
    MPEGTransferSyntaxes,
    RLELossless,
)

from dicom_node.errors import ObjectError
from dicom_node.imaging import read_radiograph
from dicom_node.imaging.decoding import DECODERS
from dicom_node.imaging.syntaxes import DECODED_AS, STORED_ONLY
from dicom_node.receive.negotiation import _TRANSFER_SYNTAXES
from tests.imaging.objects import only, radiograph

PICTURE = (20 * np.arange(32)[:, None] + 7 * np.arange(48)[None]).astype(np.uint16)  # (32, 48) of 10 bits
EIGHT_BITS = (PICTURE >> 2).astype(np.uint8)
_HTJ2K = base64.b64decode(  # PICTURE, lossless, by OpenJPH
    "/0//UQApQAAAAAAwAAAAIAAAAAAAAAAAAAAAMAAAACAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAANAAAf+TwAAqAJn+ufwBQjQAwAASQAATgABH"
    "dADaavsAgjQAwAASwAAVQH6Ai3QAbNnY/gAIQHdWAMAAE8AAFcDee9pwAnUAtDQajUb74BD2IQHsuADAABWQAAWy7u7u7vPwp6en"
    "wngAWAzDMAzDMAzD/v8QAQge/YQge/YQgey/AMAALTgABdWAJEmSJEmS/X+Ap6enp6enp0J9AKYxxhhjjDHGGGOMMcYYY/7/e+AA"
    "AHv2AAHv2AAHv2AAHv2AAHv2AAHsuwH/2Q=="
)
_PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
_BY_PYDICOM = (RLELossless, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000)
_BY_GDCM = (JPEGLossless, JPEGLosslessSV1, JPEGExtended12Bit)
_PROGRESSIVE = tuple(DECODED_AS)
LOSSY = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, *_PROGRESSIVE})
DECODED = (*_PLAIN, *_BY_PYDICOM, *_BY_GDCM, *_PROGRESSIVE, JPEGBaseline8Bit, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)


def encoded(syntax: UID, folder: Path) -> Dataset:
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
    elif syntax not in _PLAIN:
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


@pytest.mark.parametrize("syntax", DECODED, ids=lambda uid: uid.name)
def test_an_object_of_each_accepted_syntax_is_decoded(syntax: UID, tmp_path: Path) -> None:
    dataset = encoded(syntax, tmp_path)
    stored = read_radiograph(only(tmp_path, [dataset])).stored
    original = PICTURE if dataset.BitsAllocated == 16 else EIGHT_BITS
    assert stored.dtype.newbyteorder("=") == original.dtype
    assert np.abs(stored.astype(int) - original).max() <= (8 if syntax in LOSSY else 0)


def test_every_accepted_syntax_is_decoded_or_named_as_stored_only() -> None:
    accepted = {UID(str(syntax)) for syntax in _TRANSFER_SYNTAXES}
    assert accepted == {*DECODED, *MPEGTransferSyntaxes, *STORED_ONLY}
    assert {*DECODERS, *DECODED_AS} == {syntax for syntax in DECODED if syntax not in _PLAIN}
    assert set(AllTransferSyntaxes) <= accepted


@pytest.mark.parametrize("syntax", [JPEG2000MC, UID("1.2.840.10008.1.2.4.66")])
def test_an_object_of_a_syntax_that_is_stored_only_says_so(syntax: UID, tmp_path: Path) -> None:
    dataset = encoded(JPEG2000Lossless, tmp_path)
    dataset.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(ObjectError, match=f"{dataset.SOPInstanceUID}: its transfer syntax, JPEG .* is stored"):
        read_radiograph(only(tmp_path, [dataset]))


def test_jpeg_ls_that_the_first_decoder_declines_is_decoded_by_the_second(tmp_path: Path) -> None:
    dataset = encoded(JPEGLSLossless, tmp_path)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1).rstrip(b"\0")
    padded = frame.removesuffix(b"\xff\xd9") + b"\0\xff\xd9"  # one scanner's encoder ends its scans so
    with pytest.raises(RuntimeError):
        jpeg_ls.decode_pixel_data(padded)
    dataset.PixelData = encapsulate([padded])
    assert np.array_equal(read_radiograph(only(tmp_path, [dataset])).stored, PICTURE)
