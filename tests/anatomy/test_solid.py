"""What is measured of a mask, against bodies whose measures are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_node.anatomy.solid import Solid
from tests.support.heads import Head, ball, cylinder_phantom, volume

SPACINGS = [(3.0, 3.0, 3.0), (1.0, 1.0, 1.0), (5.0, 0.8, 0.8)]


def block(spacing_mm: tuple[float, float, float], sizes_mm: tuple[float, float, float]) -> NDArray[np.bool_]:
    """A box in the middle of a field of 180 mm."""
    shape = [round(180 / mm) for mm in spacing_mm]
    mask = np.zeros(shape, bool)
    inside = (
        slice(round((180 - size) / 2 / mm), round((180 + size) / 2 / mm))
        for size, mm in zip(sizes_mm, spacing_mm, strict=True)
    )
    mask[tuple(inside)] = True
    return mask


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_extents_volume_and_convexity_of_a_box_do_not_depend_on_the_voxels(
    spacing_mm: tuple[float, float, float],
) -> None:
    mask = block(spacing_mm, (60, 90, 120))
    measured = Solid(mask, volume(mask.astype(np.float32), spacing_mm), "signal")
    extents = (measured.height_mm, measured.depth_mm, measured.breadth_mm)
    assert extents == pytest.approx((60, 90, 120), abs=6)
    assert measured.volume_ml == pytest.approx(648, rel=0.02)
    assert measured.convexity == pytest.approx(1, abs=0.05)
    assert measured.length_mm == pytest.approx(120, abs=6)


def test_a_thin_cord_adds_nothing_to_the_extents_of_a_brain() -> None:
    head = Head()
    alone, with_cord = (Solid(mask, head.image(), "signal") for mask in (head.brain, head.brain | head.cord))
    assert with_cord.height_mm == pytest.approx(alone.height_mm, abs=6)
    assert with_cord.face_share == 0


def test_the_patients_axes_count_and_not_the_slices() -> None:
    head = Head()
    sagittal = head.image()
    turned = type(sagittal)(
        np.ascontiguousarray(sagittal.array.transpose(2, 0, 1)[:, ::-1]),
        sagittal.affine[:, [2, 0, 1, 3]] * np.array([1, -1, 1, 1]),
        "1.3",
        sagittal.stack,
    )
    mask = np.ascontiguousarray(head.brain.transpose(2, 0, 1)[:, ::-1])
    measured = Solid(mask, turned, "signal")
    assert (measured.height_mm, measured.depth_mm, measured.breadth_mm) == pytest.approx((132, 164, 132), abs=6)
    assert measured.below_top_mm == pytest.approx(14, abs=4)
    assert measured.cover_mm == pytest.approx(14, abs=4)


def test_an_unevenly_lit_phantom_has_less_texture_than_tissue() -> None:
    phantom, head = cylinder_phantom(), Head(shading=1.2)
    liquid = Solid(ball(phantom, 60), phantom, "signal").texture
    tissue = Solid(head.brain, head.image(), "signal").texture
    assert liquid is not None
    assert tissue is not None
    assert liquid < 0.005 < 2 * 0.005 < tissue


def test_a_mask_that_reaches_a_face_of_the_field_is_a_part() -> None:
    head = Head()
    assert not Solid(head.brain, head.image(), "signal").is_cut
    assert Solid(head.brain | head.cord, head.image(), "signal").is_cut


def test_holes_are_measured_as_a_share() -> None:
    mask = block((3.0, 3.0, 3.0), (60, 60, 60))
    hollow = mask & ~block((3.0, 3.0, 3.0), (30, 30, 30))
    assert Solid(hollow, volume(mask.astype(np.float32), (3.0, 3.0, 3.0)), "signal").holes_share == pytest.approx(1 / 8)
