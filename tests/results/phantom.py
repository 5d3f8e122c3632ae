"""A bright block that lies left, front and up in the patient, imaged in every way that a series can be stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset, dcmread, dcmwrite
from pydicom.uid import UID, EnhancedMRImageStorage, ExplicitVRBigEndian

from dicom_node.images import Stack
from dicom_node.imaging import dicom_files, split
from tests.results import builders

BRIGHT, DARK = 1500, 40  # stored values
OFFSET, HALF = np.array([0.2, -0.15, 0.2]), np.array([0.12, 0.2, 0.22])  # of the extent along the patient's axes


@dataclasses.dataclass(frozen=True, slots=True)
class Phantom:
    """What was written, and where the block truly lies."""

    stack: Stack
    centre: NDArray[np.float64]  # (3,) LPS mm, of the voxels in the block
    voxels: int
    edge_mm: float  # the shortest of a voxel


def phantom(folder: Path, change: Callable[[FileDataset], None] | None = None, **geometry: Any) -> Phantom:
    """Write a CT series of `builders.ct_slices` with the block in it; `change` is done to each slice before saving."""
    datasets = list(builders.ct_slices(**geometry))
    places = [_places(one, one, one) for one in datasets]
    inside = _inside(np.array(places))
    for dataset, block in zip(datasets, inside, strict=True):
        _paint(dataset, block)
        if change:
            change(dataset)
        _save(dataset, folder)
    return _written(folder, np.array(places), inside, datasets[0].PixelSpacing)


def multi_frame(folder: Path, sop_class: UID) -> Phantom:
    """Write one enhanced CT or MR of nine frames, whose frames are stored from the last to the first."""
    folder.mkdir(exist_ok=True)
    series = builders.enhanced_ct(folder, frames=9, shape=(20, 24))
    dataset = dcmread(series.frames[0].path)
    dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[::-1]
    shared = dataset.SharedFunctionalGroupsSequence[0]
    measures, turned = shared.PixelMeasuresSequence[0], shared.PlaneOrientationSequence[0]
    frames = [item.PlanePositionSequence[0] for item in dataset.PerFrameFunctionalGroupsSequence]
    places = np.array([_places(one, turned, measures, (20, 24)) for one in frames])
    inside = _inside(places)
    dataset.PixelData = np.where(inside, BRIGHT, DARK).astype("<u2").tobytes()
    if sop_class == EnhancedMRImageStorage:
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
        dataset.Modality = "MR"
    dataset.save_as(series.frames[0].path)
    return _written(folder, places, inside, measures.PixelSpacing)


def big_endian(dataset: FileDataset) -> None:
    """Store a slice in Explicit VR Big Endian."""
    dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian


def signed(dataset: FileDataset) -> None:
    """Store a slice as signed values around the block's."""
    dataset.PixelData = (dataset.pixel_array.astype(np.int16) - 1000).tobytes()
    dataset.PixelRepresentation, dataset.RescaleIntercept = 1, -24


def dark_is_high(dataset: FileDataset) -> None:
    """Call a slice MONOCHROME1: its Hounsfield units are the same."""
    dataset.PhotometricInterpretation = "MONOCHROME1"


def compressed(syntax: UID) -> Callable[[FileDataset], None]:
    """Return what compresses a slice."""
    return lambda dataset: dataset.compress(syntax, generate_instance_uid=False)


def _places(
    positioned: Dataset, turned: Dataset, measures: Dataset, shape: Sequence[int] | None = None
) -> NDArray[np.float64]:
    """Return (rows, columns, 3), LPS mm of each pixel's centre (PS3.3 C.7.6.2.1.1)."""
    rows, columns = shape or (positioned.Rows, positioned.Columns)
    cosines = np.array(turned.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    between_rows, between_columns = (float(value) for value in measures.PixelSpacing)
    row, column = np.mgrid[:rows, :columns][..., None]
    across = column * between_columns * cosines[0] + row * between_rows * cosines[1]
    return np.asarray(np.array(positioned.ImagePositionPatient, dtype=np.float64) + across)


def _inside(places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (slices, rows, columns): which voxels lie in the block; a single slice has no extent along its normal."""
    low, high = places.min(axis=(0, 1, 2)), places.max(axis=(0, 1, 2))
    extent = high - low
    distance = np.abs(places - (low + high) / 2 - OFFSET * extent)
    return np.asarray((distance <= HALF * extent + 1e-6).all(axis=-1))


def _paint(dataset: FileDataset, block: NDArray[np.bool_]) -> None:
    dataset.PixelData = np.where(block, BRIGHT, DARK).astype("<u2").tobytes()


def _save(dataset: FileDataset, folder: Path) -> None:
    is_big = dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    how: dict[str, Any] = {"implicit_vr": False, "little_endian": not is_big, "force_encoding": True}
    dcmwrite(folder / f"{dataset.SOPInstanceUID}.dcm", dataset, **how)


def _written(folder: Path, places: NDArray[np.float64], inside: NDArray[np.bool_], spacing: Sequence[float]) -> Phantom:
    (stack,) = split(builders.STUDY, builders.SERIES, [(str(path), "") for path in dicom_files(folder)]).stacks
    edge = min(float(value) for value in spacing)
    return Phantom(stack, places[inside].mean(axis=0), int(inside.sum()), edge)
