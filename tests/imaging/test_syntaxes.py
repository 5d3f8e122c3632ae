from __future__ import annotations

from pathlib import Path

import jpeg_ls
import numpy as np
import pytest
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    JPEG2000MC,
    UID,
    AllTransferSyntaxes,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLSLossless,
    MPEGTransferSyntaxes,
)

from dicom_node.errors import ObjectError
from dicom_node.imaging import read_radiograph
from dicom_node.imaging.decoding import DECODERS
from dicom_node.imaging.syntaxes import DECODED_AS, STORED_ONLY
from dicom_node.receive.negotiation import _TRANSFER_SYNTAXES
from tests.imaging.objects import only
from tests.support.syntaxes import DECODED, EIGHT_BITS, LOSSY, PICTURE, PLAIN, in_syntax


@pytest.mark.parametrize("syntax", DECODED, ids=lambda uid: uid.name)
def test_an_object_of_each_accepted_syntax_is_decoded(syntax: UID, tmp_path: Path) -> None:
    dataset = in_syntax(syntax, tmp_path)
    stored = read_radiograph(only(tmp_path, [dataset])).stored
    original = PICTURE if dataset.BitsAllocated == 16 else EIGHT_BITS
    assert stored.dtype.newbyteorder("=") == original.dtype
    assert np.abs(stored.astype(int) - original).max() <= (8 if syntax in LOSSY else 0)


def test_every_accepted_syntax_is_decoded_or_named_as_stored_only() -> None:
    accepted = {UID(str(syntax)) for syntax in _TRANSFER_SYNTAXES}
    assert accepted == {*DECODED, *MPEGTransferSyntaxes, *STORED_ONLY}
    assert {*DECODERS, *DECODED_AS} == {syntax for syntax in DECODED if syntax not in PLAIN}
    assert set(AllTransferSyntaxes) <= accepted


@pytest.mark.parametrize("syntax", [JPEG2000MC, UID("1.2.840.10008.1.2.4.66")])
def test_an_object_of_a_syntax_that_is_stored_only_says_so(syntax: UID, tmp_path: Path) -> None:
    dataset = in_syntax(JPEG2000Lossless, tmp_path)
    dataset.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(ObjectError, match=f"{dataset.SOPInstanceUID}: its transfer syntax, JPEG .* is stored"):
        read_radiograph(only(tmp_path, [dataset]))


def test_jpeg_ls_that_the_first_decoder_declines_is_decoded_by_the_second(tmp_path: Path) -> None:
    dataset = in_syntax(JPEGLSLossless, tmp_path)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1).rstrip(b"\0")
    padded = frame.removesuffix(b"\xff\xd9") + b"\0\xff\xd9"  # one scanner's encoder ends its scans so
    with pytest.raises(RuntimeError):
        jpeg_ls.decode_pixel_data(padded)
    dataset.PixelData = encapsulate([padded])
    assert np.array_equal(read_radiograph(only(tmp_path, [dataset])).stored, PICTURE)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGBaseline8Bit, JPEGLossless, JPEG2000Lossless, HTJ2KLossless])
def test_a_stream_that_was_cut_is_refused_at_once(syntax: UID, tmp_path: Path) -> None:
    dataset = in_syntax(syntax, tmp_path)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([frame[:-100]])  # behind the end of a scan, CharLS 2 counts for seconds
    with pytest.raises(ObjectError, match=f"{dataset.SOPInstanceUID}: .* its compressed data are cut short"):
        read_radiograph(only(tmp_path, [dataset]))


def test_a_stream_with_a_spoilt_segment_is_refused_and_ends_no_process(tmp_path: Path) -> None:
    dataset = in_syntax(UID("1.2.840.10008.1.2.4.55"), tmp_path)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    table = frame.index(b"\xff\xc4") + 20  # within a Huffman table: GDCM ends its process behind it
    dataset.PixelData = encapsulate([frame[:table] + frame[table : table + 2] + frame[table:]])
    with pytest.raises(ObjectError, match=f"{dataset.SOPInstanceUID}: .* a marker is missing"):
        read_radiograph(only(tmp_path, [dataset]))


def test_a_jpeg_2000_stream_of_another_sign_than_the_headers_is_decoded(tmp_path: Path) -> None:
    dataset = in_syntax(JPEG2000Lossless, tmp_path)
    dataset.PixelRepresentation = 1
    assert np.array_equal(read_radiograph(only(tmp_path, [dataset])).stored, PICTURE)
