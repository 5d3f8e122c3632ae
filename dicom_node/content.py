"""What an object shows, whatever its names and its patient's are: pixels, and where they lie."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from dicom_node.encoding.narrow import check_header
from dicom_node.images import Stack
from dicom_node.uids import digest

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_SHOWN = (
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "PixelSpacing", "ImagerPixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PatientOrientation", "Laterality", "ImageLaterality"),
)


def content_digest(path: Path) -> str:
    """Return the SHA-256 (64 hex digits) of an object's pixels, as encoded, and geometry; "" where one cannot be read.

    Such an object is never taken for what another shows.
    """
    try:
        return _digest(path)
    except Exception:  # noqa: BLE001 - pydicom raises a dozen kinds on broken bytes
        return ""


def _digest(path: Path) -> str:
    check_header(str(path))
    dataset = dcmread(path, specific_tags=[*_PIXELS, *_SHOWN, "PerFrameFunctionalGroupsSequence"])
    found = hashlib.sha256()
    for keyword in _PIXELS:
        if keyword in dataset:
            raw = dataset.get_item(Tag(keyword))
            found.update(bytes(raw.value or b"") if isinstance(raw, RawDataElement) else bytes(dataset[keyword].value))
            break
    else:
        return ""
    geometry = [f"{keyword}={dataset.get(keyword, '')}" for keyword in _SHOWN]
    frames = [str(item) for item in dataset.get("PerFrameFunctionalGroupsSequence") or ()]
    return digest(found.hexdigest(), *geometry, *frames)


def stack_content(stack: Stack) -> str:
    """Return a digest of what a stack's frames show together, in whatever order; "" where one shows nothing.

    A stack of one single-frame object has its `content_digest`.
    """
    paths = {frame.path for frame in stack.frames}
    by_path = {path: content_digest(Path(path)) for path in paths}
    if not all(by_path.values()):
        return ""
    if len(stack.frames) == 1 and stack.frames[0].number is None:
        return by_path[stack.frames[0].path]
    return digest(*sorted(f"{by_path[frame.path]}#{frame.number or 0}" for frame in stack.frames))
