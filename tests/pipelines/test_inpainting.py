from __future__ import annotations

import numpy as np
import pytest

from pipelines.inpainting import Rectangle, fill_boxes


def ramp(noise: float = 0.0) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    rows, columns = np.mgrid[:120, :160]
    grain = np.random.default_rng(0).normal(0, noise, rows.shape)
    return np.asarray(np.rint(1000 + 10 * columns + 3 * rows + grain), np.uint16)


BOXES: list[Rectangle] = [(10, 10, 40, 30), (0, 50, 20, 70), (140, 0, 160, 20), (100, 90, 130, 120), (0, 0, 12, 9)]


@pytest.mark.parametrize("box", BOXES)
def test_only_pixels_inside_the_box_change(box: Rectangle) -> None:
    image = ramp(noise=5)
    filled = fill_boxes(image, [box])
    inside = np.zeros(image.shape, bool)
    inside[box[1] : box[3], box[0] : box[2]] = True
    assert np.array_equal(filled[~inside], image[~inside])


def test_a_smooth_slope_is_continued_through_the_box() -> None:
    image = ramp()
    marked = image.copy()
    marked[40:80, 60:100] = 4095
    filled = fill_boxes(marked, [(60, 40, 100, 80)])
    assert np.abs(filled.astype(int) - image).max() <= 4


def test_depth_and_range_of_the_stored_pixels_are_kept() -> None:
    image = np.clip(ramp(noise=30), 0, 2000)
    filled = fill_boxes(image, BOXES)
    assert filled.dtype == image.dtype
    assert image.min() <= filled.min() <= filled.max() <= image.max()


def test_signed_pixels_stay_signed() -> None:
    image = np.asarray(ramp().astype(int) - 2000, np.int16)
    assert fill_boxes(image, [(10, 10, 40, 30)]).dtype == np.int16


def test_the_filled_grain_is_as_strong_as_around() -> None:
    filled = fill_boxes(ramp(noise=20), [(40, 40, 100, 90)]).astype(float)
    inside = filled[45:85, 45:95] - ramp()[45:85, 45:95]
    assert 10 < inside.std() < 30


def test_the_same_image_is_filled_with_the_same_pixels() -> None:
    assert np.array_equal(fill_boxes(ramp(noise=9), BOXES), fill_boxes(ramp(noise=9), BOXES))


def test_a_box_as_large_as_the_image_is_filled_evenly() -> None:
    assert fill_boxes(ramp(), [(0, 0, 160, 120)]).std() < 50
