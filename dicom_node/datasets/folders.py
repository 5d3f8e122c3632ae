"""`DIR/images/*` with masks/, boxes.csv or index.csv beside it: docs/data-layouts.md shows each."""

from __future__ import annotations

import csv
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from pydicom import dcmread

from dicom_node.datasets.cases import Case, Dataset, Kind, TrueBox, Truth
from dicom_node.datasets.dicom_truth import read_dicom_dataset
from dicom_node.datasets.masks import MaskFile, stem_of
from dicom_node.errors import ObjectError
from dicom_node.imaging import dicom_files, is_plain

Row: TypeAlias = Mapping[str, str]
PARTS: Final = ("train", "validation", "test")
_MASKS: Final = (".png", ".nii.gz", ".nii", ".mha", ".nrrd")


def read_dataset(folder: Path) -> Dataset:
    """Find every image below a folder and what is true of it.

    Raises:
        ObjectError: naming what is missing or cannot be understood.
    """
    index = _index(folder)
    if not index and not (folder / "images").is_dir():
        return read_dicom_dataset(folder)
    kind, truth_of = _layout(folder, index)
    cases, known = [], True
    for path in _images(folder, index, kind):
        row = index.get(path.name, {})
        patient = row.get("patient", "").strip() or _patient_id(path)
        known = known and bool(patient)
        cases.append(Case(path.name, path, patient or path.name, truth_of(path), _part(folder, row)))
    if not cases:
        raise ObjectError(str(folder), "holds no image")
    return Dataset(folder, kind, tuple(cases), known)


def _layout(folder: Path, index: Mapping[str, Row]) -> tuple[Kind, Callable[[Path], Truth]]:
    """Return what kind of truth lies there, and how to get an image's."""
    if (folder / "masks").is_dir():
        return "masks", lambda path: _mask(folder / "masks", path)
    if (folder / "boxes.csv").is_file():
        boxes = _boxes(folder / "boxes.csv")
        return "boxes", lambda path: boxes.get(path.name, ())
    if any(row.get("label", "").strip() for row in index.values()):
        return "classes", lambda path: _label(folder, index[path.name])
    raise ObjectError(str(folder), "has neither masks/ nor boxes.csv nor an index.csv with the columns file and label")


def _images(folder: Path, index: Mapping[str, Row], kind: Kind) -> Iterator[Path]:
    """Yield the images: those of index.csv where it gives the labels, else all in images/, a series being a folder."""
    if kind == "classes":
        for row in index.values():
            yield _existing(folder, row["file"])
        return
    images = folder / "images"
    if not images.is_dir():
        raise ObjectError(str(folder), "has no folder images/")
    yield from (path for path in sorted(images.iterdir()) if not path.name.startswith("."))


def _existing(folder: Path, name: str) -> Path:
    for path in (folder / "images" / name, folder / name):
        if path.exists():
            return path
    raise ObjectError(str(folder / "index.csv"), f"{name!r} is neither in images/ nor in the folder itself")


def _index(folder: Path) -> dict[str, Row]:
    """Return index.csv's rows by file name; an absent file has none."""
    path = folder / "index.csv"
    if not path.is_file():
        return {}
    rows: dict[str, Row] = {}
    for row in _rows(path, ("file",)):
        name = Path(row["file"]).name
        if name in rows:
            raise ObjectError(str(path), f"has {name!r} twice")
        rows[name] = row
    return rows


def _rows(path: Path, needed: tuple[str, ...]) -> list[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise ObjectError(str(path), f"lacks the column {missing[0]!r}; its first line must name the columns")
        return [{key: value or "" for key, value in row.items() if key} for row in reader]


def _boxes(path: Path) -> dict[str, tuple[TrueBox, ...]]:
    found: defaultdict[str, list[TrueBox]] = defaultdict(list)
    corners = [field.name for field in dataclasses.fields(TrueBox)][1:]
    for line, row in enumerate(_rows(path, ("file", "label", *corners)), 2):
        if not row["label"].strip():  # a file that is only said to be there
            continue
        try:
            box = TrueBox(row["label"].strip(), *(float(row[corner]) for corner in corners))
        except ValueError as error:
            raise ObjectError(str(path), f"line {line}: {error}") from error
        if not (box.x1 < box.x2 and box.y1 < box.y2):
            raise ObjectError(str(path), f"line {line}: x1 must be below x2, and y1 below y2")
        found[Path(row["file"]).name].append(box)
    return {name: tuple(boxes) for name, boxes in found.items()}


def _mask(folder: Path, image: Path) -> MaskFile:
    for ending in _MASKS:
        path = folder / f"{stem_of(image)}{ending}"
        if path.is_file():
            return MaskFile(path)
    raise ObjectError(str(image), f"has no mask: no {folder.name}/{stem_of(image)} with {', '.join(_MASKS)}")


def _label(folder: Path, row: Row) -> str:
    label = row["label"].strip()
    if not label:
        raise ObjectError(str(folder / "index.csv"), f"{row['file']!r} has no label")
    return label


def _part(folder: Path, row: Row) -> str:
    part = row.get("part", "").strip()
    if part and part not in PARTS:
        raise ObjectError(str(folder / "index.csv"), f"{row['file']!r}: part {part!r} is none of {', '.join(PARTS)}")
    return part


def _patient_id(path: Path) -> str:
    """Return the Patient ID of a DICOM file or of a series' first one; "" where there is none."""
    if path.is_file() and is_plain(path):
        return ""
    header = dcmread(next(dicom_files(path)), specific_tags=["PatientID"], stop_before_pixels=True)
    return str(header.get("PatientID", "") or "").strip()
