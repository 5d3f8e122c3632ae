"""How a version differs from one whose file was removed: by the digests that were written down at its removal."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydicom import Dataset, dcmread

from dicom_node.encoding.narrow import check_header
from dicom_node.imaging.limits import PixelLimits
from dicom_node.receive.comparing import describe, describe_content
from dicom_node.receive.comparing_pixels import digest_pixels, is_decodable
from dicom_node.receive.difference import Difference
from dicom_node.receive.removed import ObjectDigests
from dicom_node.uids import digest

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def digest_object(path: Path) -> ObjectDigests | None:
    """Return the digests of the object in a file, None where it cannot be read; compressed pixels are not decoded."""
    try:
        check_header(str(path))
        dataset = dcmread(path)
        is_native = not dataset.file_meta.TransferSyntaxUID.is_compressed
        decoded = digest(*digest_pixels(dataset)) if is_native and "PixelData" in dataset else ""
        return ObjectDigests(*describe(dataset), describe_content(dataset), _encoded(dataset), decoded)
    except Exception:  # noqa: BLE001 - pydicom and its decoders raise a dozen kinds on broken bytes
        return None


def compare_removed(path: Path, other: ObjectDigests | None, limits: PixelLimits) -> Difference:
    """Compare the object in a file with one that was removed; what cannot be compared counts as another picture.

    Raises:
        MemoryError: comparing them takes more memory than there may be.
    """
    if other is None:
        return Difference.PIXELS
    try:
        check_header(str(path))
        dataset = dcmread(path)
        layout, geometry, header = describe(dataset)
        is_same = (layout, describe_content(dataset)) == (other.layout, other.content)
        if not is_same or not _shows(dataset, other, limits):
            return Difference.PIXELS
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - pydicom and its decoders raise a dozen kinds on broken bytes
        return Difference.PIXELS
    if geometry != other.geometry:
        return Difference.GEOMETRY
    return Difference.HEADER if header != other.header else Difference.ENCODING


def _shows(dataset: Dataset, other: ObjectDigests, limits: PixelLimits) -> bool:
    if _encoded(dataset) == other.encoded:
        return True
    is_comparable = bool(other.decoded) and "PixelData" in dataset and is_decodable(dataset, limits)
    return is_comparable and digest(*digest_pixels(dataset)) == other.decoded


def _encoded(dataset: Dataset) -> str:
    found = [hashlib.sha256(dataset[keyword].value).hexdigest() for keyword in _PIXELS if keyword in dataset]
    return digest(str(dataset.file_meta.TransferSyntaxUID), *found) if found else ""
