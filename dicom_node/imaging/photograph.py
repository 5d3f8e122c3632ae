"""Photographs, endoscopic above all, to red, green and blue: single pictures, multi-frame objects and films."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import generate_fragments
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import MPEGTransferSyntaxes

from dicom_node.errors import ObjectError, UnsuitableError
from dicom_node.images import Frame, Photograph, Stack
from dicom_node.imaging.headers import naming
from dicom_node.imaging.limits import NO_LIMITS, PixelLimits
from dicom_node.imaging.pixels import read_object, stored_pixels
from dicom_node.imaging.possible import number, pixel_description
from dicom_node.imaging.remarks import SourceRemarks

_PALETTE = "PALETTE COLOR"


def read_photograph(stack: Stack, limits: PixelLimits = NO_LIMITS) -> Photograph:
    """Read the stack's frames of one object: 8 bits per colour, in red, green, blue whatever the object holds.

    Raises:
        UnsuitableError: for grey pixels, and for frames of more than one object.
        ObjectError: naming the object whose pixels are too many or cannot be decoded, or whose header holds an
            impossible number.
    """
    first = stack.frames[0]
    if other := next((frame for frame in stack.frames if frame.sop_instance_uid != first.sop_instance_uid), None):
        why = f"is not {first.sop_instance_uid}, of the first frame; a photograph or a film is one object"
        raise UnsuitableError(other.sop_instance_uid, "SOPInstanceUID", why)
    dataset = read_object(first)
    photometric = str(dataset.get("PhotometricInterpretation", ""))
    if photometric != _PALETTE and dataset.get("SamplesPerPixel") != 3:
        why = f"is {photometric or 'absent or empty'}; a photograph is in colour"
        raise UnsuitableError(first.sop_instance_uid, "PhotometricInterpretation", why)
    values = pixel_description(first.sop_instance_uid, dataset)
    rows, columns = number(values, "Rows") or 0, number(values, "Columns") or 0
    limits.refuse(first.sop_instance_uid, rows, columns, len(stack.frames))
    pictures: NDArray[np.uint8] = np.empty((len(stack.frames), rows, columns, 3), np.uint8)
    remarks = SourceRemarks()
    for place, picture in zip(pictures, _coloured(dataset, stack.frames, remarks, limits), strict=True):
        if picture.shape != place.shape:
            raise ObjectError(first.sop_instance_uid, f"a frame is {picture.shape}, its header says {place.shape}")
        place[...] = picture
    return Photograph(pictures, stack, remarks.texts)


def _coloured(
    dataset: Dataset, frames: Sequence[Frame], remarks: SourceRemarks, limits: PixelLimits
) -> Iterator[NDArray[np.uint8]]:
    """Yield each frame, (rows, columns, 3); the decoder turns YBR into RGB, once."""
    if dataset.file_meta.TransferSyntaxUID in MPEGTransferSyntaxes:  # MPEG-2, MPEG-4 and HEVC
        remarks.add_lossy(dataset)
        for picture in _filmed(dataset, frames):
            limits.refuse_late(frames[0].sop_instance_uid)
            yield picture
        return
    for stored in stored_pixels(dataset, frames, remarks, limits):
        with naming(frames[0].sop_instance_uid, "its palette cannot be used"):
            if dataset.PhotometricInterpretation == _PALETTE:
                entry_bits = int(dataset.RedPaletteColorLookupTableDescriptor[2])
                yield _to_8_bits(apply_color_lut(stored, dataset)[..., :3], entry_bits)
            else:
                yield _to_8_bits(stored, int(dataset.BitsStored))


def _to_8_bits(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    return np.asarray(values >> max(0, bits - 8), np.uint8)


def _filmed(dataset: Dataset, frames: Sequence[Frame]) -> Iterator[NDArray[np.uint8]]:
    """Decode an MPEG-2, MPEG-4 or HEVC stream up to the last frame that is asked for (PS3.5 8.2.5 to 8.2.8)."""
    uid = frames[0].sop_instance_uid
    with tempfile.NamedTemporaryFile(suffix=".film") as file:  # the library reads streams from files only
        with naming(uid, "its film cannot be read"):
            file.writelines(generate_fragments(dataset.PixelData))
            file.flush()
        film = cv2.VideoCapture(file.name, cv2.CAP_FFMPEG)
        try:
            yield from _chosen(film, [(frame.number or 1) - 1 for frame in frames], uid)
        finally:
            film.release()


def _chosen(film: cv2.VideoCapture, indices: Sequence[int], uid: str) -> Iterator[NDArray[np.uint8]]:
    at = -1
    for index in indices:
        while at < index:
            if not film.grab():
                raise ObjectError(uid, f"its film cannot be decoded beyond frame {at + 1}")
            at += 1
        ok, picture = film.retrieve()
        if not ok:
            raise ObjectError(uid, f"its film cannot be decoded at frame {index + 1}")
        yield np.asarray(picture[..., ::-1], np.uint8)
