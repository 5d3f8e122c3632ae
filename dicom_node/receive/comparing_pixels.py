"""Whether two objects show the same picture, once their pixels are decoded."""

from __future__ import annotations

import hashlib

from pydicom import Dataset
from pydicom.pixels.utils import iter_pixels

from dicom_node.imaging.decoding import DECODERS, PLUGIN
from dicom_node.imaging.limits import PixelLimits

_AS_RGB = frozenset(("YBR_RCT", "YBR_ICT"))  # which a decoder turns into RGB (PS3.3 C.7.6.3.1.2)
_DECODED_AT_MOST = 512 << 20  # bytes of pixels; larger ones of another encoding are not compared


def shows_same(one: Dataset, other: Dataset, limits: PixelLimits) -> bool:
    """Say whether two objects' Pixel Data are the same once they are decoded; large ones are not compared.

    Raises what pydicom and its decoders do on broken bytes, and ObjectError beyond the limits.
    """
    return is_decodable(one, limits) and digest_pixels(one) == digest_pixels(other)


def is_decodable(dataset: Dataset, limits: PixelLimits) -> bool:
    """Say whether an object's pixels are few enough to be compared; raises ObjectError beyond the limits."""
    rows, columns, frames, samples = (
        int(dataset.get(keyword) or 1) for keyword in ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel")
    )
    limits.refuse(str(dataset.SOPInstanceUID), rows, columns, frames)
    bytes_of_sample = int(dataset.get("BitsAllocated") or 8) // 8
    return rows * columns * frames * samples * bytes_of_sample <= _DECODED_AT_MOST


def digest_pixels(dataset: Dataset) -> tuple[str, str]:
    """Return the colour model and the SHA-256 of all decoded frames."""
    found = hashlib.sha256()
    plugin = PLUGIN if dataset.file_meta.TransferSyntaxUID in DECODERS else ""
    for frame in iter_pixels(dataset, raw=True, decoding_plugin=plugin):
        found.update(str(frame.shape).encode())
        found.update(frame.astype("<i8" if frame.dtype.kind == "i" else "<u8").tobytes())
    photometric = str(dataset.get("PhotometricInterpretation") or "").strip()
    return "RGB" if photometric in _AS_RGB else photometric, found.hexdigest()
