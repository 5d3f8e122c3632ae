"""What an object shows, whatever its names and its patient's are: pixels, and where they lie."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from dicom_node.encoding import FunctionalGroups
from dicom_node.encoding.narrow import decode_elements
from dicom_node.images import Stack
from dicom_node.uids import digest

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_SHOWN = (
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "PixelSpacing", "ImagerPixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PatientOrientation", "Laterality", "ImageLaterality"),
)


_TAGS = tuple(int(Tag(keyword)) for keyword in (*_PIXELS, *_SHOWN))


def content_digest(path: Path) -> str:
    """Return the SHA-256 (64 hex digits) of an object's pixels, as encoded, and geometry; "" where one cannot be read.

    Such an object is never taken for what another shows.
    """
    try:
        return _digest(path)
    except Exception:  # noqa: BLE001 - pydicom raises a dozen kinds on broken bytes
        return ""


def _digest(path: Path) -> str:
    decoded = decode_elements(str(path), _TAGS)
    dataset, found = decoded.dataset, hashlib.sha256()
    for keyword in _PIXELS:
        if keyword in dataset:
            raw = dataset.get_item(Tag(keyword))
            found.update(bytes(raw.value or b"") if isinstance(raw, RawDataElement) else bytes(dataset[keyword].value))
            break
    else:
        return ""
    geometry = [f"{keyword}={dataset.get(keyword, '')}" for keyword in _SHOWN]
    return digest(found.hexdigest(), *geometry, *_frames(decoded.groups))


def _frames(groups: FunctionalGroups) -> Iterator[str]:
    """Yield a text for each frame that tells what its functional groups say, however they are encoded."""
    said = functools.cache(groups.flatten)
    for frame in groups:
        yield digest(*(said(group).hex() for group in frame))


def stack_content(stack: Stack, shown: Callable[[Path], str] = content_digest) -> str:
    """Return a digest of what a stack's frames show together, in whatever order; "" where one shows nothing.

    A stack of one single-frame object has its `content_digest`; who asks for many stacks of one object remembers it.
    """
    by_path = {path: shown(Path(path)) for path in {frame.path for frame in stack.frames}}
    if not all(by_path.values()):
        return ""
    if len(stack.frames) == 1 and stack.frames[0].number is None:
        return by_path[stack.frames[0].path]
    return digest(*sorted(f"{by_path[frame.path]}#{frame.number or 0}" for frame in stack.frames))
