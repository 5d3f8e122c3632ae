"""Pictures to learn views from where none are licensed: made laterals, made frontals beside the real ones, slices.

A share of the frontal pictures is made too, so that being made is no sign of a view. Other pictures are slices of CT,
as figures show them, MR and colonoscopy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import pydicom
from numpy.typing import NDArray

from dicom_node.demo.phantom import PLAIN, chest_hu
from dicom_node.demo.shapes import Grid
from pipelines.training.data import CtSlice, read_contrast, read_grey, read_slice
from pipelines.training.projecting import Direction, drawn, profiles
from pipelines.training.segmenting import Sample, Turns, turned
from pipelines.training.task import Random
from pipelines.view_cxr import pressed

T = TypeVar("T")
Picture = NDArray[np.uint8]
COUNTS: Final = {"lateral": 700, "frontal": 300, "other": 500}
CLOSE: Final = Turns(0, (1.0, 1.6), 0.25, 0.08)  # made pictures have a wide rim
_PHANTOMS: Final = 6
_PHANTOM_SHARE: Final = 0.35  # of the made radiographs; the others are stacked from CT
_WINDOWS: Final = ((-1000.0, -200.0), (-1350.0, 150.0), (-900.0, 500.0), (-150.0, 250.0), (-1000.0, 1000.0))


def made_views(data: Path, random: Random) -> Iterator[tuple[str, Picture]]:
    """Yield pictures with their view, from the development data."""
    slices = read_contrast(data / "ct_contrast")
    belly = [read_slice(path, False, path.name) for path in sorted((data / "ct_abdomen_dicom").iterdir())]
    chest = [read_slice(path, False, path.name) for path in head_first(data / "ct_chest_dicom_jpegls")]
    makers: dict[str, Callable[[], Picture]] = {
        "frontal": _radiographs("frontal", [*slices, *belly], chest, random),
        "lateral": _radiographs("lateral", [*slices, *belly], chest, random),
        "other": _slices([*slices, *belly, *chest[::4]], _others(data), random),
    }
    for view, count in COUNTS.items():
        for _ in range(count):
            yield view, makers[view]()


def _radiographs(
    direction: Direction, slices: list[CtSlice], contiguous: list[CtSlice], random: Random
) -> Callable[[], Picture]:
    source, models = profiles(slices, contiguous, direction), phantoms(direction)

    def make() -> Picture:
        made = random.random() >= _PHANTOM_SHARE
        picture = pressed(drawn(source, direction, random) if made else one_of(models, random))
        return turned(Sample(picture, picture), CLOSE, random).picture

    return make


def phantoms(direction: Direction) -> list[Picture]:
    """Return radiographs of the demonstration's made-up chest."""
    axes = [np.arange(low, high, 2.5, dtype=np.float32) for low, high in ((-200, 200), (-125, 125), (-200, 175))]
    pictures = []
    for seed in range(_PHANTOMS):
        hu = chest_hu(Grid(*axes), PLAIN, seed, arms_down=seed % 2 == 0)
        water = np.clip(hu + 1000, 0, 2500).sum(1 if direction == "frontal" else 2)[::-1]
        pictures.append(np.asarray((water - water.min()) / np.ptp(water) * 255, np.uint8))
    return pictures


def _slices(slices: list[CtSlice], others: list[Picture], random: Random) -> Callable[[], Picture]:
    def make() -> Picture:
        return pressed(figure(one_of(slices, random).hu, random) if random.random() < 0.8 else one_of(others, random))

    return make


def figure(hu: NDArray[np.float32], random: Random) -> Picture:
    """Window a slice, and in half of the cases cut it to the body."""
    low, high = _WINDOWS[int(random.integers(len(_WINDOWS)))]
    picture = np.asarray(np.clip((hu - low) / (high - low), 0, 1) * 255, np.uint8)
    rows, columns = (np.flatnonzero((hu > -300).mean(axis) > 0.1) for axis in (1, 0))
    if random.random() < 0.5 or min(len(rows), len(columns)) < 8:
        return picture
    return picture[rows[0] : rows[-1], columns[0] : columns[-1]]


def _others(data: Path) -> list[Picture]:
    heads = [pydicom.dcmread(path).pixel_array for path in sorted((data / "brain_t1_dicom").iterdir())[::8]]
    whites = [max(float(np.percentile(one, 99)), 1.0) for one in heads]
    shown = [np.asarray(np.clip(a / w, 0, 1) * 255, np.uint8) for a, w in zip(heads, whites, strict=True)]
    return [*shown, *(read_grey(path) for path in sorted((data / "polyp" / "images").glob("*.jpg"))[::4])]


def head_first(folder: Path) -> list[Path]:
    """Return a series' files from the head down."""
    paths = sorted(folder.glob("*.dcm"))
    heights = [float(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[2]) for path in paths]
    return [paths[index] for index in np.argsort(heights)[::-1]]


def one_of(items: Sequence[T], random: Random) -> T:
    """Return one of several, each as likely."""
    return items[int(random.integers(len(items)))]
