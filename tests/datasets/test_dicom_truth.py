"""DICOM SEG and SR as truth: written by our own encoder and by others."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from dicom_node.datasets import TrueBox, class_of, read_dataset
from dicom_node.errors import ObjectError
from dicom_node.findings import Code, Detection
from dicom_node.images import Stack, Volume
from dicom_node.imaging import read_image
from dicom_node.results import encode
from pipelines.contrast_ct import ANSWERS, QUESTION
from pipelines.lr_mark_cxr import CONCEPT
from tests.pipelines.support import shared_data
from tests.results import builders
from tests.results.builders import request


def truth_in(folder: Path, classes: tuple[str, ...]) -> np.ndarray:
    (case,) = read_dataset(folder).cases
    assert isinstance(case.source, Stack)
    assert not isinstance(case.truth, str | tuple)
    return case.truth.read(read_image(case.source, Volume), classes)


@pytest.mark.parametrize("orientation", [builders.AXIAL, builders.OBLIQUE])
def test_a_seg_is_read_on_the_grid_of_the_series_that_it_cites(orientation: tuple[float, ...], tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, orientation=orientation, reverse=True)
    found = builders.organs((6, 20, 24))
    list(encode(request(stack, found, outputs=("SEG",)), tmp_path / "seg"))
    values = truth_in(tmp_path, ("liver", "kidney"))  # the stack's slices are reversed: the first is the lowest
    assert np.array_equal(values == 1, (found.labels == 1)[::-1])
    assert np.array_equal(values == 2, (found.labels > 1)[::-1])
    assert not (truth_in(tmp_path, ("kidney",)) == 2).any()


def test_a_seg_that_names_nothing_that_is_looked_for_is_refused(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    list(encode(request(stack, builders.organs((6, 20, 24)), outputs=("SEG",)), tmp_path / "seg"))
    with pytest.raises(ObjectError, match="looked for are brain"):
        truth_in(tmp_path, ("brain",))


def test_the_patient_is_the_headers(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, PatientID="42")
    list(encode(request(stack, builders.organs((6, 20, 24)), outputs=("SEG",)), tmp_path / "seg"))
    dataset = read_dataset(tmp_path)
    assert (dataset.kind, dataset.patients, dataset.patients_known) == ("masks", ["42"], True)


def test_outlines_of_a_report_are_boxes(tmp_path: Path) -> None:
    mark = dataclasses.replace(builders.MARK, name="L", code=Code("7771000", "SCT", "Left"))
    stack = builders.radiograph(tmp_path)
    list(encode(request(stack, Detection(CONCEPT, (mark,)), outputs=("SR",)), tmp_path / "sr"))
    dataset = read_dataset(tmp_path)
    assert dataset.kind == "boxes"
    assert [case.truth for case in dataset.cases] == [(TrueBox("L", mark.x1, mark.y1, mark.x2, mark.y2),)]


@pytest.mark.parametrize("word", ["enhanced", "non-enhanced"])
def test_an_evaluation_of_a_report_is_a_label(word: str, tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    answer = dataclasses.replace(builders.contrast(), concept=QUESTION, value=word, answer=ANSWERS[word])
    list(encode(request(stack, answer, outputs=("SR",)), tmp_path / "sr"))
    dataset = read_dataset(tmp_path)
    assert (dataset.kind, [case.truth for case in dataset.cases]) == ("classes", [word])


def test_a_folder_without_any_truth_is_refused(tmp_path: Path) -> None:
    builders.ct_series(tmp_path)
    with pytest.raises(ObjectError, match="no DICOM SEG or SR"):
        read_dataset(tmp_path)


def test_a_seg_without_its_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    stack = builders.ct_series(tmp_path / "elsewhere")
    list(encode(request(stack, builders.organs((6, 20, 24)), outputs=("SEG",)), tmp_path / "data"))
    with pytest.raises(ObjectError, match="cites no image that lies in the folder"):
        read_dataset(tmp_path / "data")


def test_a_liver_segmented_by_another_program_is_read(tmp_path: Path) -> None:
    zoo = shared_data("dicom_zoo") / "dcmqi"
    for name in ("data_segmentations_liver.dcm", *(f"data_segmentations_ct_3slice_0{k}.dcm" for k in (1, 2, 3))):
        shutil.copy(zoo / name, tmp_path)
    values = truth_in(tmp_path, ("liver",))
    assert values.shape == (3, 512, 512)
    assert 10_000 < (values == 1).sum() < 200_000


def test_the_word_that_stands_last_names_the_class() -> None:
    assert class_of("right kidney tumour", ("kidney", "tumour")) == "tumour"
    assert class_of("Kidney tumor", ("kidney", "kidney tumour")) == "kidney tumour"
    assert class_of("Left Kidney", ("kidney", "kidney tumour")) == "kidney"
    assert class_of("spleen", ("kidney",)) is None
