"""The training folders' images, and who may be trained on: split by patient, licence respected."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray

TRAINABLE_LICENCES = ("CC BY 3.0", "CC BY 4.0", "CC BY-NC-SA", "CC BY-NC-SA 4.0")
"""Blank, unclear and no-derivatives licences allow measuring only."""

XYWH: TypeAlias = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class CxrRow:
    """One radiograph of cxr/index.csv."""

    image: Path
    mask: Path | None
    view: str
    patient: str
    licence: str
    right_box: XYWH | None  # of the patient's right lung, pixels
    left_box: XYWH | None

    @property
    def trainable(self) -> bool:
        """Whether the licence allows to ship weights made from this image."""
        return self.licence in TRAINABLE_LICENCES

    def read(self) -> NDArray[np.uint8]:
        """Return the picture, (rows, columns)."""
        return read_grey(self.image)


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """Rows by use; no patient stands in two of them."""

    train: tuple[CxrRow, ...]
    tune: tuple[CxrRow, ...]  # thresholds and settings are chosen here
    test: tuple[CxrRow, ...]


def read_cxr(folder: Path) -> list[CxrRow]:
    """Read cxr/index.csv."""
    with (folder / "index.csv").open(newline="") as file:
        return [_cxr_row(folder, values) for values in csv.DictReader(file)]


def _cxr_row(folder: Path, values: dict[str, str]) -> CxrRow:
    return CxrRow(
        image=folder / "images" / values["file"],
        mask=folder / "masks" / values["mask"] if values["mask"] else None,
        view=values["view"],
        patient=values["patient"],
        licence=values["licence"],
        right_box=_box(values["right_lung_box_xywh"]),
        left_box=_box(values["left_lung_box_xywh"]),
    )


def _box(text: str) -> XYWH | None:
    numbers = [round(float(word)) for word in text.split()]
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if len(numbers) == 4 else None


def fold_of(patient: str, folds: int) -> int:
    """Return the patient's fold, the same on every machine and in every run."""
    return int(hashlib.sha256(patient.encode()).hexdigest()[:8], 16) % folds


def split_cxr(rows: Iterable[CxrRow], folds: int = 8) -> Split:
    """Train and tune on licensed patients; test on two eighths of them and on all who may only be measured."""
    rows = list(rows)
    licensed = {row.patient for row in rows if row.trainable}

    def part(row: CxrRow) -> str:
        if row.patient not in licensed:
            return "test"
        fold = fold_of(row.patient, folds)
        if fold < 2:
            return "test"
        if not row.trainable:
            return "none"
        return "tune" if fold == 2 else "train"

    parts = {name: tuple(row for row in rows if part(row) == name) for name in ("train", "tune", "test")}
    return Split(**parts)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class CtSlice:
    """One axial chest slice."""

    hu: NDArray[np.float32]  # (rows, columns), Hounsfield units, patient's left at the right
    enhanced: bool
    patient: str
    manufacturer: str
    spacing_mm: float
    agent: str  # ContrastBolusAgent as the header has it


def read_contrast(folder: Path) -> list[CtSlice]:
    """Read ct_contrast/index.csv and its slices."""
    with (folder / "index.csv").open(newline="") as file:
        return [
            read_slice(folder / values["file"], values["contrast"] == "enhanced", values["patient"])
            for values in csv.DictReader(file)
        ]


def read_slice(path: Path, enhanced: bool, patient: str) -> CtSlice:
    """Read one CT slice in Hounsfield units."""
    header = pydicom.dcmread(path)
    hu = header.pixel_array.astype(np.float32) * float(header.RescaleSlope) + float(header.RescaleIntercept)
    return CtSlice(
        hu=hu,
        enhanced=enhanced,
        patient=patient,
        manufacturer=str(header.get("Manufacturer", "")).split(" ")[0],
        spacing_mm=float(header.PixelSpacing[0]),
        agent=str(header.get("ContrastBolusAgent", "") or ""),
    )


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Return an 8-bit picture, (rows, columns)."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise FileNotFoundError(f"{path} is no picture that can be read")
    return np.asarray(picture, np.uint8)


def folds_of(patients: Sequence[str], strata: Sequence[Hashable], folds: int) -> list[int]:
    """Deal whole patients to folds so that every stratum (e.g. class) spreads evenly; the same on every machine.

    No fold stays empty where there are as many patients as folds.
    """
    kinds = list(dict.fromkeys(strata))
    counts: dict[str, NDArray[np.float64]] = {}
    for patient, stratum in zip(patients, strata, strict=True):
        counts.setdefault(patient, np.zeros(len(kinds)))[kinds.index(stratum)] += 1
    filled = np.zeros((folds, len(kinds)))
    chosen: dict[str, int] = {}
    ordered = sorted(counts, key=lambda one: (-counts[one].sum(), hashlib.sha256(one.encode()).hexdigest()))
    for number, patient in enumerate(ordered):
        added = counts[patient]
        empty = [one for one in range(folds) if not filled[one].any()]
        open_to_it = empty if empty and len(empty) >= len(ordered) - number else range(folds)
        fold = min(open_to_it, key=lambda one: (float((2 * filled[one] * added).sum()), one))
        filled[fold] += added
        chosen[patient] = fold
    return [chosen[patient] for patient in patients]
