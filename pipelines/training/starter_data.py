"""Lay the development data out as `train` and `evaluate` read them: python -m pipelines.training.starter_data NAME ...

NAME is a pipeline, or lr_mark_cxr_drawn: radiographs with one drawn mark each. The folder then holds copies of the
images, the truth beside them, and index.csv with patient and part; what may be trained on by its licence is in the
parts train and validation, all else in test. With it, `dicom-node train NAME --data DIR` makes starter weights anew
and `dicom-node evaluate NAME --data DIR --part test` repeats their figures. Those of lr_mark_cxr saw twenty times
as many crops as its task's settings give, as their card says.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from dicom_node.datasets import TrueBox
from dicom_node.evaluate.marks import NEITHER
from pipelines.pictures import levels
from pipelines.training.data import CxrRow, folds_of, read_cxr, read_grey, split_cxr
from pipelines.training.lr_mark_cxr import Background, Label, with_drawn_mark
from pipelines.training.lung_sides import sides
from pipelines.training.made_views import made_views
from pipelines.training.marks import SIDES

FOLDS: Final = 5
SAME_SCENE: Final = 0.88  # correlation of two frames' thumbnails, from which they are taken for one patient's
VIEWS: Final = {"PA": "frontal", "AP": "frontal", "AP Supine": "frontal", "lateral": "lateral", "other": "other"}
EDGES: Final = ("x1", "y1", "x2", "y2")
MARKS: Final = Path(__file__).with_name("real_marks.csv")


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One image, and what stands beside it."""

    image: Path  # where it is, or of a made picture only its name
    patient: str
    part: str = ""
    label: str = ""
    mask: NDArray[np.uint8] | None = None  # (rows, columns)
    picture: NDArray[np.uint8] | None = None  # (rows, columns), of one that is made
    boxes: tuple[TrueBox, ...] = ()


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
    real = real_marks()
    for part, row in _parts([row for row in read_cxr(data / "cxr") if row.view != "other"]):
        yield Item(row.image, row.patient, part, boxes=real.get(row.image.name, ()))


def drawn_marks(data: Path) -> Iterator[Item]:
    """Yield radiographs that steer and measure, with a mark drawn on each; real ones are neither right nor wrong."""
    for number, item in enumerate(item for item in marks(data) if item.part != "train"):
        grey = read_grey(item.image)
        there = tuple(Label(None, one.x1, one.y1, one.x2, one.y2) for one in item.boxes)
        random = np.random.default_rng(number)
        picture, drawn = with_drawn_mark(Background(grey, there, *levels(grey)), random)
        boxes = tuple(
            TrueBox(NEITHER if one.side is None else SIDES[one.side], one.x1, one.y1, one.x2, one.y2)
            for one in (*there, *drawn)
        )
        yield dataclasses.replace(item, image=Path(f"drawn-{item.image.stem}.png"), picture=picture, boxes=boxes)


def real_marks() -> dict[str, tuple[TrueBox, ...]]:
    """Return the hand-boxed marks by file."""
    with MARKS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, tuple[TrueBox, ...]] = {}
    for row in rows:
        box = TrueBox(row["label"], *(float(row[edge]) for edge in EDGES))
        found[row["file"]] = (*found.get(row["file"], ()), box)
    return found


def contrast(data: Path) -> Iterator[Item]:
    """Yield the chest slices; there are too few patients to keep a part back, folds measure."""
    for row in _rows(data / "ct_contrast"):
        yield Item(data / "ct_contrast" / row["file"], row["patient"], label=row["contrast"])


def views(data: Path) -> Iterator[Item]:
    """Yield every radiograph whose view is known, AP being frontal, and made pictures to train on.

    One file stands in the table twice, as two views: it says nothing about either.
    """
    rows = read_cxr(data / "cxr")
    listed = Counter(row.image for row in rows)
    for part, row in _parts([row for row in rows if row.view in VIEWS and listed[row.image] == 1]):
        yield Item(row.image, row.patient, part, label=VIEWS[row.view])
    for number, (view, picture) in enumerate(made_views(data, np.random.default_rng(0))):
        yield Item(Path(f"made-{number}.png"), f"made {number}", "train", label=view, picture=picture)


def livers(data: Path) -> Iterator[Item]:
    """Yield the slices; their volume is the patient. None steers: no setting was chosen by them."""
    items = list(_slices(data / "ct_liver", "volume"))
    yield from _with_parts(items, _marked)


def kidneys(data: Path) -> Iterator[Item]:
    """Yield the slices with 1 kidney, 2 tumour; mirrored and bent copies have their origin's case.

    Fold 0 is one case alone, with 16 slices, so that fold 1 measures.
    """
    yield from _with_parts(list(_slices(data / "ct_kidney", "case")), _with_tumour, measuring=1)


def polyps(data: Path) -> Iterator[Item]:
    """Yield the frames; whose they are is not known, so those that look alike count as one patient's."""
    images = sorted((data / "polyp" / "images").iterdir())
    masks = [read_grey(data / "polyp" / "masks" / f"{image.stem}.png") for image in images]
    scenes = scenes_of([np.asarray(cv2.imread(str(image), cv2.IMREAD_COLOR_BGR), np.uint8) for image in images])
    items = [Item(image, scene, mask=mask) for image, scene, mask in zip(images, scenes, masks, strict=True)]
    yield from _with_parts(items, _marked)


def scenes_of(pictures: Sequence[NDArray[np.uint8]]) -> list[str]:
    """Return each frame's scene: frames whose thumbnails correlate, and those that correlate with these."""
    small = [cv2.resize(one, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float64).ravel() for one in pictures]
    alike = np.corrcoef(np.stack(small)) >= SAME_SCENE
    _, labels = csgraph.connected_components(sparse.csr_array(alike), directed=False)
    return [f"cluster {label}" for label in labels]


SETS: Final[dict[str, Callable[[Path], Iterator[Item]]]] = {
    "contrast_ct": contrast,
    "kidney_tumor_ct": kidneys,
    "liver_ct": livers,
    "lr_mark_cxr": marks,
    "lr_mark_cxr_drawn": drawn_marks,
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
        yield Item(folder / row["image"], row[group], mask=mask)


def _with_parts(items: Sequence[Item], stratum: Callable[[Item], bool], measuring: int = 0) -> Iterator[Item]:
    """Deal patients to five folds, each stratum spread evenly: one fold tests, the next steers, the others train."""
    folds = folds_of([item.patient for item in items], [stratum(item) for item in items], FOLDS)
    for item, fold in zip(items, folds, strict=True):
        yield dataclasses.replace(item, part={measuring: "test", measuring + 1: "validation"}.get(fold, "train"))


def _marked(item: Item) -> bool:
    return item.mask is not None and bool(item.mask.any())


def _with_tumour(item: Item) -> bool:
    return item.mask is not None and bool((item.mask == 2).any())


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lay_out(items: Sequence[Item], folder: Path) -> None:
    """Write images/, masks/ where there are masks, boxes.csv where there are boxes, and index.csv."""
    (folder / "images").mkdir(parents=True)
    if any(item.mask is not None for item in items):
        (folder / "masks").mkdir()
    with (folder / "index.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "patient", "part"])
        for item in items:
            if item.picture is None:
                shutil.copyfile(item.image, folder / "images" / item.image.name)
            else:
                cv2.imwrite(str(folder / "images" / item.image.name), item.picture)
            if item.mask is not None:
                cv2.imwrite(str(folder / "masks" / f"{item.image.stem}.png"), item.mask)
            table.writerow([item.image.name, item.label, item.patient, item.part])
    if any(item.boxes for item in items):
        with (folder / "boxes.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["file", "label", *EDGES])
            for item in items:
                table.writerows([item.image.name, *dataclasses.astuple(box)] for box in item.boxes)


def main() -> None:
    """Lay out the data of one or several pipelines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=sorted(SETS))
    parser.add_argument("--data", type=Path, required=True, help="the folder of the development data")
    parser.add_argument("--out", type=Path, required=True, help="a folder for one folder per pipeline")
    options = parser.parse_args()
    for name in options.names:
        lay_out(list(SETS[name](options.data)), options.out / name)


if __name__ == "__main__":
    main()
