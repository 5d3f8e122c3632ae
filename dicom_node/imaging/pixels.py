"""Decoded pixels of one object, frame by frame."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import iter_pixels

from dicom_node.errors import ObjectError
from dicom_node.images import Frame
from dicom_node.imaging.headers import MALFORMED

_UNDECODABLE = (*MALFORMED, RuntimeError, OSError, struct.error)
"""What pydicom and its decoders raise for pixel data that is cut short or spoilt."""


def read_object(frame: Frame) -> Dataset:
    """Read a whole object.

    Raises:
        ObjectError: naming the SOP Instance, when its file is gone or is no longer the same object.
    """
    try:
        dataset = dcmread(frame.path)
        found = str(dataset.get("SOPInstanceUID", ""))
    except InvalidDicomError as error:
        raise ObjectError(frame.sop_instance_uid, "its file is not DICOM") from error
    except _UNDECODABLE as error:
        raise ObjectError(frame.sop_instance_uid, f"its file cannot be read: {error}") from error
    if found != frame.sop_instance_uid:
        raise ObjectError(frame.sop_instance_uid, f"its file holds {found or 'another object'} now")
    return dataset


def stored_pixels(dataset: Dataset, frames: Sequence[Frame]) -> Iterator[NDArray[Any]]:
    """Decode the given frames of one object, one at a time: (rows, columns[, samples]) as stored.

    Raises:
        ObjectError: naming the SOP Instance, when pixel data is missing, cut short or cannot be decoded.
    """
    name = frames[0].sop_instance_uid
    indices = [(frame.number or 1) - 1 for frame in frames]
    try:
        yield from iter_pixels(dataset, indices=indices)
    except _UNDECODABLE as error:
        raise ObjectError(name, f"its pixel data cannot be decoded: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
