"""Lay the development data out as `train` and `evaluate` read them: python -m pipelines.training.starter_data NAME ...

NAME is a pipeline. The folder then holds copies of the images, the truth beside them, and index.csv with patient and
part; what may be trained on by its licence is in the parts train and validation, all else in test. With it,
`dicom-node train NAME --data DIR` makes starter weights again and `dicom-node evaluate NAME --data DIR --part test`
repeats their figures.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.training.data import CxrRow, fold_of, read_cxr, read_grey, split_cxr
from pipelines.training.lung_sides import sides

FOLDS: Final = 5
MARKS: Final = Path(__file__).with_name("real_marks.csv")


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One image, and what stands beside it."""

    image: Path
    patient: str
    part: str = ""
    label: str = ""
    mask: NDArray[np.uint8] | None = None  # (rows, columns)


def lungs(data: Path) -> Iterator[Item]:
    """Yield the radiographs that have a mask: 1 image-left, 2 image-right lung, 127 unknown."""
    rows = [row for row in read_cxr(data / "cxr") if row.mask]
    for part, row in _parts(rows):
        if row.mask is not None:
            yield Item(row.image, row.patient, part, mask=sides(read_grey(row.mask), _between(row)))


def _between(row: CxrRow) -> float | None:
    """Return the column midway between the boxes of both lungs."""
    if row.right_box is None or row.left_box is None:
        return None
    return sum(x + width / 2 for x, _, width, _ in (row.right_box, row.left_box)) / 2


def marks(data: Path) -> Iterator[Item]:
    """Yield the radiographs, lateral ones included; the boxes are the hand-boxed ones of real_marks.csv."""
    for part, row in _parts([row for row in read_cxr(data / "cxr") if row.view != "other"]):
        yield Item(row.image, row.patient, part)


def contrast(data: Path) -> Iterator[Item]:
    """Yield the chest slices; there are too few patients to keep a part back, folds measure."""
    for row in _rows(data / "ct_contrast"):
        yield Item(data / "ct_contrast" / row["file"], row["patient"], label=row["contrast"])


def views(data: Path) -> Iterator[Item]:
    """Yield every radiograph with its view; AP is frontal."""
    for part, row in _parts(read_cxr(data / "cxr")):
        yield Item(row.image, row.patient, part, label=row.view if row.view in ("lateral", "other") else "frontal")


def livers(data: Path) -> Iterator[Item]:
    """Yield the slices; their volume is the patient."""
    yield from _slices(data / "ct_liver", "volume")


def kidneys(data: Path) -> Iterator[Item]:
    """Yield the slices with 1 kidney, 2 tumour; mirrored and bent copies have their origin's case."""
    yield from _slices(data / "ct_kidney", "case")


def polyps(data: Path) -> Iterator[Item]:
    """Yield the frames; whose they are is not known."""
    for image in sorted((data / "polyp" / "images").iterdir()):
        mask = read_grey(data / "polyp" / "masks" / f"{image.stem}.png")
        yield Item(image, image.stem, _dealt(image.stem), mask=mask)


SETS: Final[dict[str, Callable[[Path], Iterator[Item]]]] = {
    "contrast_ct": contrast,
    "kidney_tumor_ct": kidneys,
    "liver_ct": livers,
    "lr_mark_cxr": marks,
    "lung_cxr": lungs,
    "polyp_es": polyps,
    "view_cxr": views,
}


def _parts(rows: Sequence[CxrRow]) -> Iterator[tuple[str, CxrRow]]:
    split = split_cxr(rows)
    for part, some in (("train", split.train), ("validation", split.tune), ("test", split.test)):
        for row in some:
            yield part, row


def _slices(folder: Path, group: str) -> Iterator[Item]:
    for row in _rows(folder):
        mask = read_grey(folder / row["label"])
        yield Item(folder / row["image"], row[group], _dealt(row[group]), mask=mask)


def _dealt(patient: str) -> str:
    return {0: "test", 1: "validation"}.get(fold_of(patient, FOLDS), "train")


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lay_out(items: Sequence[Item], folder: Path) -> None:
    """Write images/, masks/ where there are masks, and index.csv."""
    (folder / "images").mkdir(parents=True)
    if any(item.mask is not None for item in items):
        (folder / "masks").mkdir()
    with (folder / "index.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "patient", "part"])
        for item in items:
            shutil.copyfile(item.image, folder / "images" / item.image.name)
            if item.mask is not None:
                cv2.imwrite(str(folder / "masks" / f"{item.image.stem}.png"), item.mask)
            table.writerow([item.image.name, item.label, item.patient, item.part])


def main() -> None:
    """Lay out the data of one or several pipelines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=sorted(SETS))
    parser.add_argument("--data", type=Path, required=True, help="the folder of the development data")
    parser.add_argument("--out", type=Path, required=True, help="a folder for one folder per pipeline")
    options = parser.parse_args()
    for name in options.names:
        lay_out(list(SETS[name](options.data)), options.out / name)
        if name == "lr_mark_cxr":
            shutil.copyfile(MARKS, options.out / name / "boxes.csv")


if __name__ == "__main__":
    main()
