"""Who is trained on, who steers, who measures: by patient."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from dicom_node.datasets import Case, Dataset
from dicom_node.errors import ObjectError
from pipelines.training.data import folds_of

FOLDS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """Cases by use; no patient stands in two of them."""

    train: tuple[Case, ...]
    validation: tuple[Case, ...]
    test: tuple[Case, ...]

    def __str__(self) -> str:
        parts = ((name, getattr(self, name)) for name in ("train", "validation", "test"))
        return ", ".join(f"{name} {len(some)} images of {len(_patients(some))} patients" for name, some in parts)

    def write(self, path: Path) -> None:
        """Write which file is in which part."""
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["file", "part"])
            for part in dataclasses.fields(self):
                table.writerows([case.name, part.name] for case in getattr(self, part.name))


def split_cases(dataset: Dataset, fold: int = 0, *, steered: bool = True) -> Split:
    """Split as index.csv says, or deal whole patients to folds: one tests, the next validates, the others train.

    Where nothing is steered, those who would have validated are trained on.

    Raises:
        ObjectError: the parts named in index.csv are incomplete or share a patient, or there are too few patients.
    """
    told = any(case.part for case in dataset.cases)
    split = _as_told(dataset) if told else _dealt(dataset, fold)
    return split if steered else Split((*split.train, *split.validation), (), split.test)


def _dealt(dataset: Dataset, fold: int) -> Split:
    folds = min(FOLDS, len(set(dataset.patients)))
    if folds < 3:
        raise ObjectError(str(dataset.folder), f"has images of {folds} patients; at least 3 are needed to split them")
    dealt = folds_of(dataset.patients, [_stratum(case) for case in dataset.cases], folds)
    parts: tuple[list[Case], list[Case], list[Case]] = ([], [], [])
    for case, own in zip(dataset.cases, dealt, strict=True):
        parts[{fold % folds: 2, (fold + 1) % folds: 1}.get(own, 0)].append(case)
    return Split(*(tuple(part) for part in parts))


def _as_told(dataset: Dataset) -> Split:
    names = ("train", "validation", "test")
    parts = {name: tuple(case for case in dataset.cases if case.part == name) for name in names}
    where = str(dataset.folder / "index.csv")
    if empty := [name for name, some in parts.items() if not some]:
        raise ObjectError(where, f"gives some images a part, but none the part {empty[0]!r}")
    patients = [_patients(parts[name]) for name in names]
    if shared := (patients[0] & patients[1]) | (patients[0] & patients[2]) | (patients[1] & patients[2]):
        raise ObjectError(where, f"has {len(shared)} patients in more than one part")
    return Split(**parts)


def _stratum(case: Case) -> str:
    """Return what should be spread evenly over the folds."""
    if isinstance(case.truth, str):
        return case.truth
    return "boxes" if isinstance(case.truth, tuple) and case.truth else ""


def _patients(cases: Sequence[Case]) -> set[str]:
    return {case.patient for case in cases}
