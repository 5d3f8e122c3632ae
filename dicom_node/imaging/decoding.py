"""Decoders by transfer syntax: a frame whose own header contradicts the data set's is not decoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import gdcm
from pydicom import uid
from pydicom.pixels.decoders import gdcm as gdcm_plugin
from pydicom.pixels.decoders import pyjpegls, pylibjpeg
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.uid import UID

from dicom_node.imaging.codestream import describe
from dicom_node.imaging.decoder_messages import decoder_messages
from dicom_node.imaging.rle import decode_rle
from dicom_node.imaging.warned import warn

PLUGIN = "dicom-node"
"""The name under which pydicom knows `decode_frame`."""

_LOOKED_FOR = "Unsupported JPEG data precision"
"""What GDCM prints as it tries its libjpegs of 8, 12 and 16 bits one after the other until one fits."""

Decode: TypeAlias = Callable[[bytes, DecodeRunner], bytes | bytearray]


def decode_frame(frame: bytes, runner: DecodeRunner) -> bytes | bytearray:
    """Decode one frame by the first decoder of its transfer syntax that can.

    What that decoder prints counts as its warnings. Raises ValueError or RuntimeError with what the first of them says.
    """
    if runner.transfer_syntax != uid.RLELossless:
        _compare(frame, runner)
    first, *others = DECODERS[runner.transfer_syntax]
    try:
        return _heard(first, frame, runner)
    except Exception:  # decoders raise whatever they like; without another one that can, the first one's error stands
        for decode in others:
            try:
                return _heard(decode, frame, runner)
            except Exception:  # noqa: BLE001, S112
                continue
        raise


def _heard(decode: Decode, frame: bytes, runner: DecodeRunner) -> bytes | bytearray:
    with decoder_messages() as printed:
        decoded = decode(frame, runner)
    for line in printed:
        if not line.startswith(_LOOKED_FOR):
            warn(line)
    return decoded


def is_available(transfer_syntax: UID) -> bool:
    """Tell pydicom whether a transfer syntax is decoded here."""
    return transfer_syntax in DECODERS


def _compare(frame: bytes, runner: DecodeRunner) -> None:
    """Refuse a frame whose own size is not the data set's: memory is asked for by the former."""
    found = describe(frame)
    said = (runner.rows, runner.columns, runner.samples_per_pixel)
    if (found.rows, found.columns, found.samples) != said:
        raise ValueError(
            f"its compressed data are of {found.rows} x {found.columns} pixels of {found.samples} samples, "
            f"its header says {said[0]} x {said[1]} of {said[2]}"
        )
    if found.precision > runner.bits_allocated:
        raise ValueError(
            f"its compressed data are of {found.precision} bits, Bits Allocated is {runner.bits_allocated}"
        )


def _by_gdcm(frame: bytes, runner: DecodeRunner) -> bytes | bytearray:
    try:
        # What pydicom itself registers by this name, as bytes that pydicom can correct the sign of in their place.
        return bytearray(gdcm_plugin._decode_frame(frame, runner))
    except AttributeError as error:  # GDCM's buffer is None
        raise ValueError("GDCM cannot decode its compressed data") from error


def _by_gdcm_12_bits(frame: bytes, runner: DecodeRunner) -> bytes | bytearray:
    """Decode JPEG Extended of more than 8 bits, which pydicom does not ask of GDCM."""
    if describe(frame).precision <= 8:
        return _by_gdcm(frame, runner)
    fragment, fragments = gdcm.Fragment(), gdcm.SequenceOfFragments.New()
    fragment.SetByteStringValue(frame)
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(str(runner.photometric_interpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(uid.JPEGExtended12Bit))))
    image.SetPixelFormat(gdcm.PixelFormat(runner.samples_per_pixel, 16, 12, 11, runner.pixel_representation))
    decoded = image.GetBuffer()
    if decoded is None:
        raise ValueError("GDCM cannot decode its compressed data")
    return bytes(decoded.encode("utf-8", "surrogateescape"))  # GDCM gives bytes as text


def _by_rle(frame: bytes, runner: DecodeRunner) -> bytes | bytearray:
    runner.set_option("planar_configuration", 1)
    return decode_rle(frame, runner.rows * runner.columns, runner.samples_per_pixel, runner.bits_allocated // 8)


_JPEG_LS: tuple[Decode, ...] = (pyjpegls._decode_frame, _by_gdcm)  # both are CharLS, the first is faster
_JPEG_2000: tuple[Decode, ...] = (_by_gdcm, pylibjpeg._decode_frame)  # both are OpenJPEG, the first is faster
_HTJ2K: tuple[Decode, ...] = (pylibjpeg._decode_frame,)
DECODERS: dict[UID, tuple[Decode, ...]] = {
    uid.JPEGBaseline8Bit: (_by_gdcm,),
    uid.JPEGExtended12Bit: (_by_gdcm_12_bits,),
    uid.JPEGLossless: (_by_gdcm,),
    uid.JPEGLosslessSV1: (_by_gdcm,),
    uid.JPEGLSLossless: _JPEG_LS,
    uid.JPEGLSNearLossless: _JPEG_LS,
    uid.JPEG2000Lossless: _JPEG_2000,
    uid.JPEG2000: _JPEG_2000,
    uid.HTJ2KLossless: _HTJ2K,
    uid.HTJ2KLosslessRPCL: _HTJ2K,
    uid.HTJ2K: _HTJ2K,
    uid.RLELossless: (_by_rle,),
}
"""Transfer syntax -> the decoders that are tried, in this order."""

DECODER_DEPENDENCIES = dict.fromkeys(DECODERS, ("dicom-node",))
"""What pydicom looks for in a plug-in."""


def register() -> None:
    """Make `decode_frame` known to pydicom, once."""
    for transfer_syntax in DECODERS:
        decoder = get_decoder(transfer_syntax)
        if PLUGIN not in decoder.available_plugins:
            decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
