"""Decoded pixels of one object, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless

from dicom_node.errors import ObjectError
from dicom_node.images import Frame
from dicom_node.imaging.headers import naming

_FASTEST = {JPEGLSLossless: "pyjpegls", JPEGLSNearLossless: "pyjpegls"}
"""The decoder to take where the one that pydicom tries first is slower by half; both are CharLS."""


def read_object(frame: Frame) -> Dataset:
    """Read a whole object.

    Raises:
        ObjectError: naming the SOP Instance, when its file is gone or is no longer the same object.
    """
    with naming(frame.sop_instance_uid, "its file cannot be read"):
        dataset = dcmread(frame.path)
        found = str(dataset.get("SOPInstanceUID", ""))
    if found != frame.sop_instance_uid:
        raise ObjectError(frame.sop_instance_uid, f"its file holds {found or 'another object'} now")
    return dataset


def stored_pixels(dataset: Dataset, frames: Sequence[Frame]) -> Iterator[NDArray[Any]]:
    """Decode the given frames of one object, one at a time: (rows, columns[, samples]) as stored.

    Raises:
        ObjectError: naming the SOP Instance, when pixel data is missing, cut short or cannot be decoded.
    """
    indices = [(frame.number or 1) - 1 for frame in frames]
    plugin = _FASTEST.get(dataset.file_meta.TransferSyntaxUID, "")
    with naming(frames[0].sop_instance_uid, "its pixel data cannot be decoded"):
        yield from iter_pixels(dataset, indices=indices, decoding_plugin=plugin)
