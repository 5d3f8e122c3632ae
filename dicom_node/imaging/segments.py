"""A DICOM Segmentation as masks on the grid of the image that it is of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.errors import ObjectError
from dicom_node.images import Image, Volume

_HALF = 0.5  # of a fractional segment's probability or occupancy (PS3.3 C.8.20.2.3)


@dataclasses.dataclass(frozen=True, slots=True)
class ReadSegment:
    """One segment, on an image's grid."""

    label: str  # what its author called it
    type: str  # the meaning of its property type
    mask: NDArray[np.bool_]  # (slices, rows, columns)


def read_segments(path: Path, image: Image) -> list[ReadSegment]:
    """Return every segment of a binary, fractional or label map object.

    A volume's segments are placed by their position in the patient, nearest neighbour; a picture's by the frames cited.

    Raises:
        ObjectError: the object cannot be read, is of no regular grid, or does not cite the picture.
    """
    try:
        seg = hd.seg.segread(path)
        masks = _placed(seg, image) if isinstance(image, Volume) else _cited(seg, image)
        described = [seg.get_segment_description(number) for number in seg.segment_numbers]
    except (ValueError, RuntimeError, KeyError, AttributeError, TypeError, OSError) as error:
        raise ObjectError(str(path), f"is no Segmentation of {image.stack.series_uid}: {error}") from error
    return [
        ReadSegment(str(one.segment_label), one.segmented_property_type.meaning, masks[..., k])
        for k, one in enumerate(described)
    ]


def _placed(seg: hd.seg.Segmentation, image: Volume) -> NDArray[np.bool_]:
    """Return (slices, rows, columns, segments) on the volume's grid."""
    volume = seg.get_volume(allow_missing_positions=True)
    there = np.linalg.inv(volume.affine) @ image.affine  # from the image's indices to the segmentation's
    parts = [_resampled(part, there, image.array.shape) for part in np.moveaxis(volume.array, -1, 0)]
    return np.stack(parts, axis=-1)


def _resampled(part: NDArray[Any], there: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    marked = (part >= _HALF).astype(np.uint8)
    placed = ndimage.affine_transform(marked, there[:3, :3], there[:3, 3], shape, order=0, mode="grid-constant")
    return np.asarray(placed > 0)


def _cited(seg: hd.seg.Segmentation, image: Image) -> NDArray[np.bool_]:
    """Return (frames, rows, columns, segments) of the frames that the image was read from."""
    frames = image.stack.frames
    options: dict[str, Any] = {"ignore_spatial_locations": True, "assert_missing_frames_are_empty": True}
    if frames[0].number is None:
        found = seg.get_pixels_by_source_instance([frame.sop_instance_uid for frame in frames], **options)
    else:
        numbers = [frame.number for frame in frames if frame.number]
        found = seg.get_pixels_by_source_frame(frames[0].sop_instance_uid, numbers, **options)
    return np.asarray(found >= _HALF)


def cited_uids(path: Path) -> Iterator[str]:
    """Yield the SOP Instance UIDs of the images that a Segmentation was made from."""
    yield from (uid for _, _, uid in hd.seg.segread(path).get_source_image_uids())
