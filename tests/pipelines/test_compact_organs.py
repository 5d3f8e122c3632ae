"""Recipes that work slice by slice: what they make of a network's output, whatever the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_node.images import Volume
from dicom_node.pipeline import Found, Measurement, Remark, Segmentation
from pipelines.kidney_tumor_ct import KidneySettings, slices_told
from pipelines.liver_ct import liver_told
from pipelines.published.runner import Floats
from pipelines.slabs import SlabStage
from pipelines.slicewise import SliceStage, largest_parts
from pipelines.volumetry import VOLUME
from tests.pipelines.support import stack

SPL: NDArray[np.float64] = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1]], float)


def volume(array: NDArray[Any], affine: NDArray[np.float64] = SPL, **facts: Any) -> Volume:
    return Volume(np.asarray(array, np.float32), affine, "1.3", stack(len(array), **facts))


def bright(pictures: Floats) -> Floats:
    """A network that marks what its window shows white."""
    return np.asarray(pictures * 20, np.float32)


def block() -> NDArray[np.float32]:
    """Soft tissue of 100 HU with a block of 240 HU."""
    hu = np.full((10, 96, 128), 100, np.float32)
    hu[3:7, 20:60, 30:80] = 240
    return hu


def segmentation(found: Found) -> Segmentation:
    assert isinstance(found[0], Segmentation)
    return found[0]


def test_the_labels_lie_on_the_source_grid_and_measure_millilitres() -> None:
    image = volume(block())
    found = SliceStage(bright, liver_told)
    labels = segmentation(result := found.finish(found.infer(found.prepare(image, None)), image)).labels
    assert np.array_equal(labels[3:7, 22:58, 32:78], np.ones((4, 36, 46)))
    assert int(labels.sum()) == pytest.approx(4 * 40 * 50, rel=0.05)
    assert next(one.value for one in result if isinstance(one, Measurement) and one.concept == VOLUME) == pytest.approx(
        16, rel=0.05
    )


def test_a_flipped_and_turned_copy_is_marked_at_the_same_anatomy() -> None:
    turned = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [-2, 0, 0, 0], [0, 0, 0, 1]], float)  # rows right, columns up
    image, stage = volume(block()[::-1].transpose(0, 2, 1)[:, ::-1, ::-1], turned), SliceStage(bright, liver_told)
    labels = segmentation(stage.finish(stage.infer(stage.prepare(image, None)), image)).labels
    truth = image.array > 200
    assert 2 * (labels & truth).sum() / (labels.sum() + truth.sum()) > 0.95


def test_a_picture_is_taken_as_windowed_and_nothing_of_it_is_measured() -> None:
    image, stage = volume(block()[4:5], windowed="8 bit"), SliceStage(bright, liver_told)
    found = stage.finish(stage.infer(stage.prepare(image, None)), image)
    assert stage.prepare(image, None).max() == pytest.approx(240 / 127.5 - 1, abs=1e-5)
    assert [type(one) for one in found] == [Segmentation, Remark]


def test_of_a_volume_the_largest_parts_stay_and_of_a_slice_all() -> None:
    labels = np.zeros((5, 20, 20), np.uint8)
    labels[1:4, 2:8, 2:8], labels[2, 12:15, 12:15], labels[4, 18, 18] = 1, 2, 1
    assert np.array_equal(largest_parts(labels, 1) > 0, labels * (labels == 1) * (np.arange(20) < 10) > 0)
    assert np.array_equal(largest_parts(labels, 3, share=0.05)[4], np.zeros((20, 20)))
    assert np.array_equal(largest_parts(labels[2:3], 1), labels[2:3])


@pytest.mark.parametrize("columns_to_the_left", [True, False])
def test_each_kidney_and_its_tumour_are_of_the_patients_side(columns_to_the_left: bool) -> None:
    affine = SPL.copy()
    affine[0, 2] = 1 if columns_to_the_left else -1
    hu = np.full((8, 40, 80), 50, np.float32)
    labels = np.zeros(hu.shape, np.uint8)
    labels[2:6, 10:20, 10:20], labels[2:6, 10:20, 60:70], labels[3:5, 12:16, 64:68] = 1, 1, 2
    found = segmentation(slices_told(labels, volume(hu, affine), KidneySettings()))
    sides = [found.labels[4, 12, 12], found.labels[4, 11, 61], found.labels[4, 13, 65]]
    assert sides == ([1, 2, 4] if columns_to_the_left else [2, 1, 3])


def test_a_picture_of_a_kidney_has_no_side() -> None:
    labels = np.zeros((1, 40, 80), np.uint8)
    labels[0, 10:20, 10:20], labels[0, 12:16, 12:16] = 1, 2
    found = segmentation(slices_told(labels, volume(labels * 99, windowed="8 bit"), KidneySettings()))
    assert [(one.name, one.laterality) for one in found.segments] == [("kidney", None), ("kidney tumour", None)]
    assert np.array_equal(found.labels, labels)


def test_the_three_views_vote_and_a_speck_is_no_brain() -> None:
    head = np.zeros((60, 50, 90), np.float32)
    head[15:45, 10:40, 20:70], head[50:54, 44:48, 80:84] = 200, 200
    image = volume(head, np.diag([1.0, 1, 1, 1])[[2, 1, 0, 3]] * 1.0)
    stage = SlabStage(lambda slabs: np.asarray(slabs[:, 1:2] * 20, np.float32), liver_told)
    labels = segmentation(stage.finish(stage.infer(stage.prepare(image, None)), image)).labels
    assert labels[15:45, 10:40, 20:70].mean() > 0.9  # the corners of a box are no brain
    assert int(labels.sum()) == pytest.approx(30 * 30 * 50, rel=0.12)
