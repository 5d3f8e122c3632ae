"""Programs and libraries that other viewers read results with: what each makes of a SEG, by segment."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import dcmqi
import numpy as np
import SimpleITK
from highdicom.seg import segread
from numpy.typing import NDArray
from pydicom import dcmread

from dicom_node.findings import Segmentation
from dicom_node.images import Stack, Volume
from dicom_node.imaging import read_volume
from dicom_node.results.seg_pixels import MAX_FRACTION

_PROGRAMS = Path(dcmqi.__file__).parent / "bin"
Masks = dict[int, NDArray[np.bool_]]
"""(frames, rows, columns) on the source's grid, by segment number."""


def found_masks(found: Segmentation) -> Masks:
    """Return what the pipeline found, by the number that the SEG gives each segment."""
    masks = [found.labels == segment.label for segment in found.segments]
    return dict(enumerate((mask for mask in masks if mask.any()), 1))


def run_dcmqi(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of dcmqi's programs; the exit code and what it said."""
    command = [str(_PROGRAMS / program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def read_with_dcmqi(seg: Path, stack: Stack, folder: Path) -> Masks:
    """Read a SEG of a volume as 3D Slicer does; voxels are laid on the source's grid by their place in the patient."""
    folder.mkdir()
    done = run_dcmqi("segimage2itkimage", "--inputDICOM", seg, "--outputDirectory", folder, "--outputType", "nrrd")
    if done.returncode:
        raise ValueError(f"exit code {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
    source, masks = read_volume(stack), {}
    for path in folder.glob("*.nrrd"):
        image = SimpleITK.ReadImage(str(path))
        array = SimpleITK.GetArrayFromImage(image)
        for value in np.unique(array[array > 0]):
            number = int(path.stem) if value == MAX_FRACTION else int(value)
            masks[number] = _on_grid(image, np.argwhere(array == value), source)
    return masks


def _on_grid(image: SimpleITK.Image, inside: NDArray[np.int64], source: Volume) -> NDArray[np.bool_]:
    """Return the mask whose voxels lie where those of the image do; `inside` is (voxels, 3): slice, row, column."""
    turned = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    places = inside[:, ::-1] @ turned.T + np.array(image.GetOrigin())  # (voxels, 3), LPS mm
    indices = np.rint((places - source.affine[:3, 3]) @ np.linalg.inv(source.affine[:3, :3]).T).astype(int)
    mask = np.zeros(source.array.shape, np.bool_)
    mask[tuple(indices.T)] = True
    return mask


def read_with_highdicom(seg: Path, stack: Stack) -> Masks:
    """Read a SEG by what its frames cite."""
    read = segread(seg)
    how: dict[str, Any] = {"assert_missing_frames_are_empty": True, "ignore_spatial_locations": True}
    uids = list(dict.fromkeys(frame.sop_instance_uid for frame in stack.frames))
    frames = [frame.number for frame in stack.frames if frame.number is not None]
    if frames:
        pixels = read.get_pixels_by_source_frame(uids[0], frames, **how)
    else:
        pixels = read.get_pixels_by_source_instance(uids, **how)
    segments = [number for number in read.segment_numbers if number]
    return {number: pixels[..., place] > 0 for place, number in enumerate(segments)}


def read_with_simpleitk(seg: Path) -> tuple[NDArray[Any], tuple[float, ...]]:
    """Return where the stored frames are marked, and the spacing between columns, rows and slices."""
    image = SimpleITK.ReadImage(str(seg))
    return SimpleITK.GetArrayFromImage(image) > 0, image.GetSpacing()


def read_as_text(report: Path) -> str:
    """Return a report as dcmtk shows it to people."""
    done = subprocess.run(["dsr2html", str(report)], capture_output=True, check=False, timeout=60)
    if done.returncode:
        raise ValueError(f"exit code {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout.decode(errors="replace")


def stored_frames(seg: Path) -> NDArray[Any]:
    """Return where the frames are marked, (frames, rows, columns), as pydicom reads them."""
    pixels = dcmread(seg).pixel_array
    return np.asarray(pixels.reshape(-1, *pixels.shape[-2:]) > 0)
