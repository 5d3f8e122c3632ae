from __future__ import annotations

import math

import numpy as np
import pytest

from dicom_node.datasets import TrueBox
from dicom_node.evaluate import bootstrap
from dicom_node.evaluate.classes import Answered, auc, balanced_accuracy, brier, calibration_error
from dicom_node.evaluate.marks import match, mean_average_precision, precision, recall
from dicom_node.evaluate.masks import compare, dice, hausdorff95, marked_findings, marked_truth
from dicom_node.findings import Box, Code, Segment, Segmentation

CODE = Code("1", "SCT", "x")


def square(first: int, last: int, size: int = 40) -> np.ndarray:
    mask = np.zeros((1, size, size), bool)
    mask[0, first:last, first:last] = True
    return mask


def test_dice_of_two_masks_and_of_none() -> None:
    assert dice(square(0, 10), square(0, 10)) == 1
    assert dice(square(0, 10), square(20, 30)) == 0
    assert dice(square(0, 0), square(0, 0)) == 1
    assert dice(square(0, 10), square(5, 15)) == pytest.approx(2 * 25 / 200)


def test_surface_distance_is_in_the_spacings_unit_and_absent_where_a_mask_is_empty() -> None:
    moved = np.roll(square(5, 15), 4, axis=2)
    assert hausdorff95(square(5, 15), moved, (1, 1, 1)) == pytest.approx(4)
    assert hausdorff95(square(5, 15), moved, (1, 1, 0.5)) == pytest.approx(2)
    assert math.isnan(hausdorff95(square(5, 15), square(0, 0), (1, 1, 1)))


def test_a_hundred_right_voxels_and_one_stray_one_do_not_make_a_large_distance() -> None:
    stray = square(5, 30)
    stray[0, 0, 39] = True
    assert hausdorff95(square(5, 30), stray, (1, 1, 1)) == 0


def test_values_above_127_are_foreground_and_the_ignored_value_is_neither() -> None:
    truth, known = marked_truth(np.array([[[0, 127, 128, 255]]], np.uint8), ("left", "right"), 127)
    assert truth.whole.tolist() == [[[False, False, True, True]]]
    assert truth.parts == {}
    assert known.tolist() == [[[True, False, True, True]]]


def test_a_map_of_classes_is_measured_by_class() -> None:
    values = np.array([[[0, 1, 2, 2]]], np.uint8)
    segments = (Segment(1, "right kidney", CODE, CODE, (0, 0, 0)), Segment(3, "right tumour", CODE, CODE, (0, 0, 0)))
    found = marked_findings(Segmentation(np.array([[[1, 1, 3, 0]]], np.uint8), segments), ("kidney", "tumour"))
    truth, known = marked_truth(values, ("kidney", "tumour"), None)
    scores = compare(truth, found, known, None)
    assert scores["dsc"] == pytest.approx(2 * 2 / 6)
    assert scores["dsc_kidney"] == pytest.approx(2 / 3)
    assert scores["dsc_tumour"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("values", "classes"), [([0, 0], ("kidney", "tumour")), ([0, 1], ("liver",))])
def test_a_blank_mask_and_a_single_class_have_no_figures_by_class(values: list[int], classes: tuple[str, ...]) -> None:
    truth, _ = marked_truth(np.array([[values]], np.uint8), classes, None)
    assert truth.parts == {}
    assert truth.whole.ravel().tolist() == [value > 0 for value in values]


def box(name: str, x: float, probability: float) -> Box:
    return Box(name, CODE, x, 0, x + 10, 10, probability)


def test_average_precision_counts_a_mark_once_and_a_wrong_letter_as_wrong() -> None:
    truth = (TrueBox("L", 0, 0, 10, 10), TrueBox("R", 50, 0, 60, 10))
    perfect = match([box("L", 1, 0.9), box("R", 50, 0.8)], truth)
    assert mean_average_precision([perfect]) == 1
    doubled = match([box("L", 0, 0.9), box("L", 1, 0.8), box("L", 50, 0.7)], truth)
    assert [hit.right for hit in doubled.hits] == [True, False, False]
    assert mean_average_precision([doubled]) == 0.5
    assert recall([doubled.counts(0.5)]) == 0.5
    assert precision([doubled.counts(0.75)]) == 0.5


def test_a_box_on_a_doubtful_place_is_neither_right_nor_wrong() -> None:
    assert match([box("L", 0, 0.9)], (TrueBox("?", 2, 2, 8, 8),)).hits == ()


def answer(truth: str, yes: float) -> Answered:
    return Answered(truth, {"yes": yes, "no": 1 - yes}, uncertain=0.35 < yes < 0.65)


def test_accuracy_takes_the_larger_probability_also_of_an_uncertain_answer() -> None:
    answers = [answer("yes", 0.55), answer("yes", 0.9), answer("yes", 0.4), answer("no", 0.2)]
    assert balanced_accuracy(answers) == pytest.approx((2 / 3 + 1) / 2)


def test_discrimination_and_calibration() -> None:
    answers = [answer("yes", 0.9), answer("yes", 0.4), answer("no", 0.4), answer("no", 0.1)]
    assert auc(answers) == pytest.approx(3.5 / 4)
    assert brier([answer("yes", 1.0)]) == 0
    assert calibration_error([answer("yes", 1.0), answer("no", 1.0)]) == pytest.approx(0.5)
    assert math.isnan(auc([answer("yes", 0.9)]))


def test_the_bootstrap_draws_whole_patients() -> None:
    values = [0.0] * 10 + [1.0] * 10
    mean, low, high = bootstrap(values, lambda chosen: float(np.mean(chosen)), ["a"] * 10 + ["b"] * 10)
    assert (mean, low, high) == (0.5, 0.0, 1.0)
