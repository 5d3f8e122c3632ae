"""Two made-up studies of one made-up patient: a chest CT with its odds and ends, and a chest radiograph.

The CT has a series without contrast and one with, a localizer and a report, on which nothing is to run.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from scipy import ndimage

from dicom_node.demo import headers
from dicom_node.demo.phantom import ARTERIAL, PLAIN, chest_hu
from dicom_node.demo.radiograph import PIXEL_MM, PIXELS, TOP_MM, attenuation, radiograph
from dicom_node.demo.shapes import Grid, Point

CT_SLICES, CT_PIXELS = 48, 256
CT_PIXEL_MM, CT_SLICE_MM = 1.5625, 5.0
CT_CORNER: Point = (-200.0, -200.0, -130.0)  # centre of the first voxel of the lowest slice

_SEED = 1  # of the lung vessels: one patient, the same in every picture
_NOISE_HU = 11.0
_TEXTURE_HU = 5.0


def write_studies(folder: Path, name: str = "demo", day: datetime.date | None = None) -> list[Path]:
    """Write every object of every study below folder, one subfolder per series, and return the files.

    The same name and day (today, if None: a node may leave old studies alone) give the same bytes each time.
    """
    taken = day or datetime.datetime.now().astimezone().date()
    written: list[Path] = []
    for dataset in [*ct_study(name, taken), *radiograph_study(name, taken)]:
        path = folder / dataset.Modality / str(dataset.SeriesNumber) / f"{int(dataset.InstanceNumber):04}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(path, enforce_file_format=True)
        written.append(path)
    return written


def ct_study(name: str, day: datetime.date) -> list[Dataset]:
    """Return the chest CT: localizer, series without and with contrast, report."""
    study = headers.Study(f"{name}-CT", day, "CT CHEST WITHOUT AND WITH CONTRAST")
    return [*localizer(study), *ct_series(study, enhanced=False), *ct_series(study, enhanced=True), *report(study)]


def radiograph_study(name: str, day: datetime.date) -> list[Dataset]:
    """Return the chest radiograph."""
    study = headers.Study(f"{name}-DX", day, "CHEST PA")
    series = headers.Series(study, 1, "DX", "Chest PA", headers.SOP_CLASSES["DX"])
    return [headers.radiograph_image(series, radiograph(_SEED), PIXEL_MM)]


def ct_series(study: headers.Study, *, enhanced: bool) -> list[Dataset]:
    """Return the axial slices of one series, from head to feet."""
    number, description = (3, "Chest C+ arterial 5.0") if enhanced else (2, "Chest plain 5.0")
    series = headers.Series(study, number, "CT", description, headers.SOP_CLASSES["CT"])
    hu = ct_volume(enhanced=enhanced)[::-1]
    images = []
    for k, plane in enumerate(hu):
        x, y, z = CT_CORNER
        position = (x, y, z + CT_SLICE_MM * (CT_SLICES - 1 - k))
        images.append(headers.ct_image(series, k + 1, plane, position, CT_PIXEL_MM))
        if enhanced:
            headers.put_contrast(images[-1])
    return images


def ct_volume(*, enhanced: bool) -> NDArray[np.float32]:
    """Return the scan (slices from the feet up, rows, columns) in HU, blurred and noisy as a scanner's."""
    hu = chest_hu(ct_grid(), ARTERIAL if enhanced else PLAIN, seed=_SEED)
    seen = ndimage.gaussian_filter(hu, (0.35, 0.7, 0.7))
    random = np.random.default_rng(3 if enhanced else 2)
    texture = _noise(random, seen.shape, (1.0, 3.0, 3.0), _TEXTURE_HU) * (np.abs(seen) < 200)
    return np.asarray(seen + texture + _noise(random, seen.shape, (0.0, 0.8, 0.8), _NOISE_HU), np.float32)


def ct_grid() -> Grid:
    """Return where the scan's voxels are."""
    x, y, z = (np.arange(count, dtype=np.float32) for count in (CT_PIXELS, CT_PIXELS, CT_SLICES))
    left, front, low = CT_CORNER
    return Grid(x * CT_PIXEL_MM + left, y * CT_PIXEL_MM + front, z * CT_SLICE_MM + low)


def localizer(study: headers.Study) -> list[Dataset]:
    """Return the frontal survey picture that the scan is planned on."""
    series = headers.Series(study, 1, "CT", "Topogram", headers.SOP_CLASSES["CT"])
    lines = attenuation(_SEED)
    pixels = np.clip(lines * 320, 0, 4095).astype(np.uint16)
    pixel_mm = PIXEL_MM * PIXELS / lines.shape[0]
    position = (-(PIXELS * PIXEL_MM - pixel_mm) / 2, 0.0, TOP_MM - pixel_mm / 2)
    return [headers.localizer_image(series, pixels, position, pixel_mm)]


def report(study: headers.Study) -> list[Dataset]:
    """Return an object without pixels."""
    series = headers.Series(study, 9, "SR", "Note", headers.SOP_CLASSES["SR"])
    return [headers.report(series, "A demonstration: this chest was made by a program.")]


def _noise(
    random: np.random.Generator, shape: tuple[int, ...], blur: tuple[float, float, float], deviation_hu: float
) -> NDArray[np.float32]:
    """Return noise of a given standard deviation, correlated as a soft kernel leaves it."""
    white = ndimage.gaussian_filter(random.standard_normal(shape, dtype=np.float32), blur)
    return np.asarray(white * (deviation_hu / white.std()), np.float32)
