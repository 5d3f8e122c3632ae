"""Decoded pixels of one object, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import iter_pixels

from dicom_node.errors import ObjectError
from dicom_node.images import Frame
from dicom_node.imaging.decoding import DECODERS, PLUGIN, register
from dicom_node.imaging.headers import MALFORMED, naming
from dicom_node.imaging.limits import NO_LIMITS, PixelLimits
from dicom_node.imaging.possible import number, pixel_description
from dicom_node.imaging.remarks import SourceRemarks
from dicom_node.imaging.syntaxes import DECODED_AS, STORED_ONLY
from dicom_node.imaging.warned import harmless, pydicom_warnings

register()
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def read_object(frame: Frame) -> Dataset:
    """Read a whole object.

    Raises:
        ObjectError: naming the SOP Instance, when its file is gone, is cut short or is no longer the same object.
    """
    with naming(frame.sop_instance_uid, "its file cannot be read"), pydicom_warnings() as warned:
        dataset = dcmread(frame.path)
        found = str(dataset.get("SOPInstanceUID", ""))
    if any("End of file reached" in message for message in warned):
        raise ObjectError(frame.sop_instance_uid, "its file is cut short")
    if found != frame.sop_instance_uid:
        raise ObjectError(frame.sop_instance_uid, f"its file holds {found or 'another object'} now")
    return dataset


def stored_pixels(
    dataset: Dataset,
    frames: Sequence[Frame],
    remarks: SourceRemarks,
    limits: PixelLimits = NO_LIMITS,
    stack_frames: int = 0,
) -> Iterator[NDArray[Any]]:
    """Decode the given frames of one object, one at a time: (rows, columns[, samples]) as stored.

    Args:
        dataset: the object; where its transfer syntax is a retired one, it is given the one that it is decoded as.
        frames: the frames of this object that are wanted.
        remarks: is told what a result's reader must know of these pixels.
        limits: how many pixels are decoded, and until when.
        stack_frames: of the whole stack, where these are not all.

    Raises:
        ObjectError: naming the SOP Instance, when its pixel data are missing, too large, cut short or spoilt, or its
            header describes none that can be.
    """
    uid = frames[0].sop_instance_uid
    values = pixel_description(uid, dataset)
    limits.refuse(uid, number(values, "Rows") or 0, number(values, "Columns") or 0, max(stack_frames, len(frames)))
    with naming(uid, "its pixel data cannot be decoded"):
        if not any(dataset.get(keyword) for keyword in _PIXELS):
            raise ObjectError(uid, "its pixel data are missing or empty")
        syntax = dataset.file_meta.TransferSyntaxUID
        if syntax in STORED_ONLY:
            raise ObjectError(uid, f"its transfer syntax, {syntax.name}, is stored and sent on, but not decoded")
        remarks.add_lossy(dataset)
        if syntax in DECODED_AS:
            dataset.file_meta.TransferSyntaxUID = DECODED_AS[syntax]
    for pixels in _decoded(uid, dataset, [(frame.number or 1) - 1 for frame in frames], remarks):
        limits.refuse_late(uid)
        yield pixels


def _decoded(uid: str, dataset: Dataset, indices: Sequence[int], remarks: SourceRemarks) -> Iterator[NDArray[Any]]:
    plugin = PLUGIN if dataset.file_meta.TransferSyntaxUID in DECODERS else ""
    iterator = iter_pixels(dataset, indices=indices, decoding_plugin=plugin)
    for _ in indices:
        with naming(uid, "its pixel data cannot be decoded"), pydicom_warnings() as warned:
            try:
                pixels = next(iterator)
            except MALFORMED as error:
                raise ValueError(str(error).rpartition(f"{PLUGIN}: ")[2]) from error
        for message in warned:
            says = harmless(message)
            if says is None:
                raise ObjectError(uid, f"its pixel data cannot be trusted: {message}")
            remarks.add_warning(says)
        yield pixels
