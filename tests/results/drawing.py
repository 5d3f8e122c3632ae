"""A SEG drawn over its image by way of the patient: by pydicom and the geometry of PS3.3 C.7.6.2.1.1 alone.

`python -m tests.results.drawing` writes the committed pictures anew; look at them before they are committed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import EnhancedMRImageStorage

from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.imaging import read_volume
from dicom_node.results.encode import encode
from tests.results import builders, phantom
from tests.results.nine import PIPELINES

PICTURES = Path(__file__).parent / "pictures"
_ENLARGED = 8
_TINTS = np.array([(0, 0, 0), (80, 80, 255), (80, 255, 80), (255, 160, 60)], np.float64)  # blue, green, red


def affine(position: Sequence[float], orientation: Sequence[float], spacing: Sequence[float]) -> NDArray[np.float64]:
    """Return (4, 4): (column, row, out of the plane, 1) -> LPS mm."""
    x, y = np.array(orientation, dtype=np.float64).reshape(2, 3)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1] = x * float(spacing[1]), y * float(spacing[0])
    matrix[:3, 2], matrix[:3, 3] = np.cross(x, y), np.array(position, dtype=np.float64)
    return matrix


def over(image: Dataset, frame: int, seg: Dataset) -> NDArray[np.uint8]:
    """Return a source frame (rows, columns, blue green red) tinted where the SEG says that a segment lies in it."""
    picture = image.pixel_array if "NumberOfFrames" not in image else image.pixel_array[frame]
    grey = picture.astype(np.float64) / max(float(image.pixel_array.max()), 1.0) * 160 + 60
    canvas = grey[..., ::-1].copy() if grey.ndim == 3 else np.repeat(grey[..., None], 3, axis=2)
    here = frame_affine(image, frame)
    masks = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for number, (mask, groups) in enumerate(zip(masks, seg.PerFrameFunctionalGroupsSequence, strict=True)):
        rows, columns = np.nonzero(mask)
        voxels = np.stack([columns, rows, 0 * rows, 0 * rows + 1]).astype(np.float64)
        column, row, away, _ = np.linalg.solve(here, frame_affine(seg, number) @ voxels)
        in_plane = np.abs(away) < 0.1
        place = np.rint(row[in_plane]).astype(int), np.rint(column[in_plane]).astype(int)
        tint = _TINTS[groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
        canvas[place] = canvas[place] * 0.5 + tint * 0.5
    small = np.rint(canvas).astype(np.uint8)
    return np.asarray(small.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1))


def frame_affine(dataset: Dataset, frame: int) -> NDArray[np.float64]:
    """Return `affine` of a frame, counted from 0; what has no place in the patient lies pixel on pixel."""
    position = functional_group(dataset, frame, "PlanePositionSequence").get("ImagePositionPatient")
    if position is None:
        return np.eye(4)
    orientation = functional_group(dataset, frame, "PlaneOrientationSequence").ImageOrientationPatient
    return affine(position, orientation, functional_group(dataset, frame, "PixelMeasuresSequence").PixelSpacing)


def functional_group(dataset: Dataset, frame: int, keyword: str) -> Dataset:
    """Return a frame's own group, else the shared one, else the object itself (PS3.3 C.7.6.16)."""
    own = dataset.get("PerFrameFunctionalGroupsSequence")
    for groups in [own[frame], *dataset.SharedFunctionalGroupsSequence] if own else ():
        if keyword in groups:
            group: Dataset = groups[keyword].value[0]
            return group
    return dataset


def _block(stack: Stack) -> Segmentation:
    labels = (read_volume(stack).array > 200).astype(np.uint8)
    return Segmentation(labels, builders.organs((3, 20, 24)).segments[:1])


def _drawn(stack: Stack, found: Segmentation, folder: Path) -> NDArray[np.uint8]:
    (file,) = encode(builders.request(stack, found, outputs=("SEG",)), folder / "out")
    most = max(
        range(len(found.labels)), key=lambda k: len(np.unique(found.labels[k])) + found.labels[k].astype(bool).mean()
    )
    frame = stack.frames[most]
    return over(dcmread(frame.path), (frame.number or 1) - 1, dcmread(file.path))


def _phantom(*orientation: float) -> Callable[[Path], NDArray[np.uint8]]:
    def draw(folder: Path) -> NDArray[np.uint8]:
        made = phantom.phantom(folder, slices=9, orientation=orientation)
        return _drawn(made.stack, _block(made.stack), folder)

    return draw


def _multi_frame(folder: Path) -> NDArray[np.uint8]:
    made = phantom.multi_frame(folder, EnhancedMRImageStorage)
    return _drawn(made.stack, _block(made.stack), folder)


def _pipeline(name: str) -> Callable[[Path], NDArray[np.uint8]]:
    def draw(folder: Path) -> NDArray[np.uint8]:
        stack, found = PIPELINES[name][0](folder)
        (labels,) = [one for one in found if isinstance(one, Segmentation)]
        return _drawn(stack, labels, folder)

    return draw


def _erased(folder: Path) -> NDArray[np.uint8]:
    """Draw the pixels that the image without its mark has, and tint those that differ from the source's."""
    stack, found = PIPELINES["marks"][0](folder)
    files = encode(builders.request(stack, *found, outputs=("SC",)), folder / "out")
    before, after = dcmread(stack.frames[0].path).pixel_array, dcmread(files[0].path).pixel_array
    canvas = np.repeat(after.astype(np.float64)[..., None] / after.max() * 160 + 60, 3, axis=2)
    canvas[before != after] = canvas[before != after] * 0.5 + _TINTS[1] * 0.5
    return np.asarray(np.rint(canvas).astype(np.uint8).repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1))


def _radiograph(folder: Path) -> NDArray[np.uint8]:
    return _drawn(builders.radiograph(folder), builders.sided_lungs(), folder)


CASES: dict[str, Callable[[Path], NDArray[np.uint8]]] = {
    "axial": _phantom(1, 0, 0, 0, 1, 0),
    "coronal": _phantom(1, 0, 0, 0, 0, -1),
    "sagittal": _phantom(0, 1, 0, 0, 0, -1),
    "prone": _phantom(-1, 0, 0, 0, -1, 0),
    "oblique": _phantom(*builders.OBLIQUE),
    "multi-frame": _multi_frame,
    "radiograph": _radiograph,
    **{name: _pipeline(name) for name in ("lung", "liver", "kidney", "brain", "black_blood", "polyp")},
    "marks": _erased,
}


def main() -> None:
    """Write every picture."""
    for name, draw in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            cv2.imwrite(str(PICTURES / f"{name}.png"), draw(Path(folder)))


if __name__ == "__main__":
    main()
