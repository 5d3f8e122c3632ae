"""Where ours departs from the original on purpose, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_node.pipeline import Photograph, Radiograph, RefusalError, Segmentation, Stack, Volume
from pipelines.published import brain, kidney, lungs, marks, polyp, view, volumes
from pipelines.published.kidney_grid import Box, resampled
from pipelines.published.kidney_modes import MODES, sided
from tests.parity.cascade import axial, stand_in
from tests.parity.pipes import Kept, mask_on, run


def body(shape: tuple[int, int, int], *kidneys: tuple[int, int, int]) -> Volume:
    """Fat with balls of kidney around the given centres."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    array = np.full(shape, -150, np.float32)
    for a, b, c in kidneys:
        array[((z - a) / 12) ** 2 + ((y - b) / 14) ** 2 + ((x - c) / 14) ** 2 < 1] = 150
    return axial(array)


def masks_of(image: Volume) -> dict[str, NDArray[np.uint8]]:
    found = None
    for mode in MODES:
        stage = kidney.KidneyStage(mode, stand_in(mode))
        found = stage.finish(stage.infer(stage.prepare(image, found)), image)
    assert found is not None
    return {mode: one.labels for mode, one in zip(MODES, found, strict=True) if isinstance(one, Segmentation)}


@pytest.mark.parametrize(("column", "label"), [(60, 1), (140, 2)])
def test_a_single_kidney_is_found_on_its_own_side_by_every_mode(column: int, label: int) -> None:
    image = body((40, 90, 200), (20, 45, column))
    masks = masks_of(image)
    truth = image.array == 150
    assert set(np.unique(masks["1"])) == {0, label}
    for mode, mask in masks.items():
        both = ((mask > 0) & truth).sum() * 2 / ((mask > 0).sum() + truth.sum())
        assert both > 0.97, mode


def test_nothing_found_stays_nothing() -> None:
    masks = masks_of(body((40, 90, 200)))
    assert not any(mask.any() for mask in masks.values())


def test_more_than_200_slices_keep_each_kidney_in_its_place() -> None:
    image = body((310, 60, 120), (40, 30, 30), (280, 30, 90))
    stage = kidney.KidneyStage("1", stand_in("1"))
    labels = stage.finish(stage.infer(stage.prepare(image, None)), image)[0].labels  # type: ignore[union-attr]
    truth = image.array == 150
    assert ((labels > 0) & truth).sum() > 0.95 * truth.sum()
    assert (labels > 0).sum() < 1.1 * truth.sum()


def test_a_crumb_is_no_second_kidney() -> None:
    found = mask_on((20, 20, 60), (2, 2, 5), (18, 18, 20)) | mask_on((20, 20, 60), (9, 9, 50), (11, 11, 52))
    assert set(np.unique(sided(found))) == {0, 1}


def test_a_box_that_leaves_the_volume_comes_back_exactly() -> None:
    volume = np.random.default_rng(0).integers(-100, 300, (30, 12, 9)).astype(np.int16)
    box = Box((-5, 2, -8), (33, 20, 12))
    cut = box.cut(volume)
    assert cut.shape == box.size
    assert np.array_equal(box.trimmed(cut, volume.shape), volume[box.inside(volume.shape)])


def test_three_of_five_networks_make_the_organ_and_three_the_tumour() -> None:
    votes = [np.array([[[k > 2, 2 * (k > 1), k > 1, 2 if k > 2 else 1]]], np.uint8) for k in range(5)]
    assert kidney.voted(votes).tolist() == [[[0, 2, 1, 1]]]


def test_right_and_left_are_told_by_the_first_stage() -> None:
    kidneys = np.zeros((1, 1, 8), np.uint8)
    kidneys[..., 1], kidneys[..., 6] = 1, 2
    labels = np.array([[[0, 1, 2, 0, 0, 2, 1, 0]]], np.uint8)
    assert kidney.with_sides(labels, kidneys).tolist() == [[[0, 1, 3, 0, 0, 4, 2, 0]]]


def test_a_tumour_is_on_the_side_of_the_nearer_kidney_of_the_vote() -> None:
    kidneys = np.zeros((1, 1, 12), np.uint8)
    kidneys[..., 1], kidneys[..., 11] = 1, 2  # midway between these, 6, the tumour of the left kidney would be right
    labels = np.array([[[1, 1, 0, 0, 0, 2, 0, 1, 1, 0, 0, 0]]], np.uint8)
    assert kidney.with_sides(labels, kidneys).tolist() == [[[1, 1, 0, 0, 0, 4, 0, 2, 2, 0, 0, 0]]]


@pytest.mark.parametrize("seen", [[], [0], [0, 1]], ids=["none", "one", "both on one side"])
def test_a_kidney_that_the_first_stage_misses_is_on_its_own_side_of_the_volume(seen: list[int]) -> None:
    kidneys = np.zeros((1, 1, 10), np.uint8)
    kidneys[..., seen] = [1, 2][: len(seen)]
    labels = np.array([[[1, 1, 0, 0, 0, 0, 1, 0, 0, 2]]], np.uint8)
    assert kidney.with_sides(labels, kidneys).tolist() == [[[1, 1, 0, 0, 0, 0, 2, 0, 0, 4]]]


def test_a_single_kidney_that_lies_across_the_middle_stays_whole() -> None:
    kidneys = np.zeros((1, 1, 10), np.uint8)
    kidneys[..., 2:7] = 1
    labels = np.array([[[0, 0, 1, 1, 1, 1, 2, 0, 0, 0]]], np.uint8)
    assert kidney.with_sides(labels, kidneys).tolist() == [[[0, 0, 1, 1, 1, 1, 3, 0, 0, 0]]]


def test_the_cascade_is_one_model() -> None:
    kept, image = Kept(), body((40, 90, 200), (20, 45, 60), (20, 45, 140))
    kidney.cascade({mode: stand_in(mode) for mode in MODES}, kept)(image)
    assert set(np.unique(kept.result.labels)) == {0, 1, 2}
    assert kept.result.labels.shape == image.array.shape
    assert kept.result.agreement == {1: pytest.approx(1, abs=0.1), 2: pytest.approx(1, abs=0.1)}


def test_resampling_aligns_first_voxels() -> None:
    found = resampled(np.arange(4, dtype=np.float32)[None, None], (1, 1, 8))[0, 0, :7]
    assert found.tolist() == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3])


def test_liver_scales_rows_and_columns_each_by_their_own_number() -> None:
    assert volumes.liver_prepared(np.zeros((20, 96, 64), np.float32), 5.0).shape == (20, 256, 256, 1)


def test_a_volume_too_thin_for_the_network_is_refused() -> None:
    with pytest.raises(RefusalError, match="at least 16"):
        volumes.liver_prepared(np.zeros((10, 96, 96), np.float32), 5.0)


def test_masks_come_back_on_the_pictures_grid() -> None:
    kept = Kept()
    noise = np.random.default_rng(1).integers(20, 255, (2, 90, 130, 3), dtype=np.uint8)
    image = Photograph(noise, Stack("", "", (), {}))
    run(polyp.PolypStage(lambda x: np.where(x[:, :1] > 0.5, 3, -3).astype(np.float32), kept), image)
    assert kept.result.mask.shape == (2, 90, 130)
    run(
        lungs.LungStage(lambda x: (x > 0).astype(np.float32), kept),
        Radiograph(noise[0, ..., 0], noise[0, ..., 0], None, Stack("", "", (), {})),
    )
    assert kept.result.shape == (90, 130)


def test_a_blank_picture_is_refused_or_black_never_divided_by_zero() -> None:
    blank = np.full((40, 50), 7, np.uint16)
    assert not view.prepared(blank).any()
    with pytest.raises(RefusalError, match="blank"):
        lungs.prepared(blank.astype(np.uint8))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32])
def test_an_inverted_radiograph_is_seen_like_the_plain_one(kind: type[np.integer]) -> None:
    plain = np.random.default_rng(2).integers(0, 200, (60, 70)).astype(kind)
    difference = view.prepared(plain).astype(int) - view.prepared(plain.max() - plain, inverted=True)
    assert np.abs(difference).max() <= 2


def test_a_score_below_the_networks_own_is_refused() -> None:
    with pytest.raises(ValueError, match="drops"):
        marks.MarkStage(lambda _: {}, Kept(), 0.5)


def test_an_empty_brain_is_an_empty_mask() -> None:
    assert not brain.brain_of(np.full((3, 1, 20, 24), -1, np.float32)).any()
