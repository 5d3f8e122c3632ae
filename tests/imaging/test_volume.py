from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import RLELossless

from dicom_node.errors import GeometryError, ObjectError
from dicom_node.images import Volume
from dicom_node.imaging import read_image, read_volume
from tests.imaging.objects import CORONAL, SAGITTAL, ct, ct_series, multi_frame_ct, only, set_pixels


def _levels(volume: Volume) -> list[float]:
    """Return the one value that each slice has."""
    return [float(value) for value in volume.array[:, 0, 0]]


def _refusal(folder: Path, series: list[Dataset]) -> GeometryError:
    stack = only(folder, series)
    with pytest.raises(GeometryError) as caught:
        read_volume(stack)
    return caught.value


def test_pixels_are_hounsfield_units_on_the_source_grid(tmp_path: Path) -> None:
    volume = read_volume(only(tmp_path, ct_series(3)))
    assert volume.array.shape == (3, 4, 6)
    assert volume.array.dtype == np.float32
    assert _levels(volume) == [-1024, -1023, -1022]
    assert volume.spacing_mm == pytest.approx((2.0, 0.5, 0.7))
    assert volume.frame_of_reference_uid == "1.2.3.4"


def test_slices_stored_from_head_to_feet_are_read_along_the_normal(tmp_path: Path) -> None:
    volume = read_volume(only(tmp_path, ct_series(3)[::-1]))
    assert _levels(volume) == [-1024, -1023, -1022]


@pytest.mark.parametrize(
    ("orientation", "step"),
    [
        ((1, 0, 0, 0, 1, 0), (0, 0, 3)),  # axial
        ((-1, 0, 0, 0, -1, 0), (0, 0, 3)),  # prone, or turned by half
        ((1, 0, 0, 0, -1, 0), (0, 0, -3)),  # rows run to anterior: the normal points to the feet
        (SAGITTAL, (-3, 0, 0)),
        (CORONAL, (0, 3, 0)),
    ],
)
def test_the_affine_leads_from_voxels_to_the_patient(
    tmp_path: Path, orientation: tuple[int, ...], step: tuple[float, ...]
) -> None:
    origin, step_mm = np.array([10.0, -20.0, 30.0]), np.array(step)
    series = [ct(origin + k * step_mm, k, ImageOrientationPatient=list(orientation)) for k in (2, 0, 1)]
    volume = read_volume(only(tmp_path, series))
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    expected = origin + 2 * step_mm + 3 * 0.5 * column + 5 * 0.7 * row
    assert _levels(volume) == [-1024, -1023, -1022]
    assert (volume.affine @ [2, 3, 5, 1])[:3] == pytest.approx(expected)


def test_a_feet_first_scan_needs_no_special_case(tmp_path: Path) -> None:
    series = [ct((0, 0, -2 * k), 9 - k, PatientPosition="FFS", InstanceNumber=k) for k in range(3)]
    assert read_volume(only(tmp_path, series)).oriented("SPL").array[0, 0, 0] == 7 - 1024


def test_signed_pixels_are_read_as_signed(tmp_path: Path) -> None:
    series = ct_series(2, RescaleIntercept=0)
    for k, dataset in enumerate(series):
        set_pixels(dataset, np.full((4, 6), -500 - k, dtype=np.int16))
    assert _levels(read_volume(only(tmp_path, series))) == [-500, -501]


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    series = [ct((0, 0, k), 10, RescaleSlope=k + 0.5, RescaleIntercept=0) for k in range(3)]
    assert _levels(read_volume(only(tmp_path, series))) == [5, 15, 25]


def test_a_multi_frame_object_is_read_frame_by_frame_in_the_stacks_order(tmp_path: Path) -> None:
    volume = read_volume(only(tmp_path, [multi_frame_ct([(0, 0, z) for z in (4, 2, 0)])]))
    assert _levels(volume) == [-996, -998, -1000]
    assert volume.spacing_mm == pytest.approx((2.0, 0.5, 0.7))


def test_compressed_slices_are_decoded(tmp_path: Path) -> None:
    series = ct_series(2)
    for dataset in series:
        dataset.compress(RLELossless, generate_instance_uid=False)
    assert _levels(read_volume(only(tmp_path, series))) == [-1024, -1023]


def test_a_single_slice_is_as_thick_as_its_header_says(tmp_path: Path) -> None:
    assert read_volume(only(tmp_path, [ct(SliceThickness=5)])).spacing_mm == pytest.approx((5, 0.5, 0.7))


def test_a_missing_slice_is_refused_by_the_instance_that_follows_the_gap(tmp_path: Path) -> None:
    series = ct_series(6)
    del series[3]
    error = _refusal(tmp_path, series)
    assert error.name == series[3].SOPInstanceUID
    assert error.problem == "1 slice(s) missing before it: 4.00 mm where 2.00 is usual"


def test_uneven_spacing_is_refused(tmp_path: Path) -> None:
    series = [ct((0, 0, z)) for z in (0, 2, 4, 6.7, 8)]
    error = _refusal(tmp_path, series)
    assert (error.name, "uneven" in error.problem) == (series[3].SOPInstanceUID, True)


def test_rounding_of_positions_in_the_header_is_no_uneven_spacing(tmp_path: Path) -> None:
    series = [ct((0, 0, z)) for z in (0, 0.63, 1.25, 1.88, 2.5)]
    assert read_volume(only(tmp_path, series)).spacing_mm[0] == pytest.approx(0.625)


@pytest.mark.parametrize("spacing_mm", [0.25, 0.3, 0.625, 0.75, 0.8, 1.25, 2.5, 3.75])
@pytest.mark.parametrize("start_mm", [0.0, -118.125, 30.33])
def test_positions_rounded_to_a_tenth_of_a_millimetre_are_even(
    tmp_path: Path, spacing_mm: float, start_mm: float
) -> None:
    series = [ct((0, 0, round(start_mm + spacing_mm * k, 1)), InstanceNumber=k + 1) for k in range(24)]
    assert read_volume(only(tmp_path, series)).spacing_mm[0] == pytest.approx(spacing_mm, abs=0.01)


def test_gantry_tilt_is_refused_and_named(tmp_path: Path) -> None:
    error = _refusal(tmp_path, [ct((0, 0.2679 * z, z)) for z in (0, 2, 4)])
    assert "gantry is tilted" in error.problem
    assert "15.0 degrees" in error.problem


def test_two_slices_at_one_position_are_refused_by_name(tmp_path: Path) -> None:
    series = ct_series(4)
    series[2].ImagePositionPatient = series[1].ImagePositionPatient
    error = _refusal(tmp_path, series)
    assert {error.name, error.problem.split()[-1]} == {str(one.SOPInstanceUID) for one in series[1:3]}


def test_a_slice_shifted_to_the_side_is_refused(tmp_path: Path) -> None:
    series = [ct((9 if z == 4 else 0, 0, z)) for z in (0, 2, 4, 6, 8)]
    assert _refusal(tmp_path, series).name == series[2].SOPInstanceUID


def test_slices_without_a_position_are_refused(tmp_path: Path) -> None:
    lost = [ct((0, 0, z), ImagePositionPatient=None) for z in (0, 2)]
    assert "no usable Image Position" in _refusal(tmp_path, lost).problem


def test_one_slice_without_a_position_is_taken_for_an_axial_one(tmp_path: Path) -> None:
    volume = read_volume(only(tmp_path, [ct(ImagePositionPatient=None, ImageOrientationPatient=None)]))
    assert volume.oriented("SPL").flips == (False, False, False)


def test_slices_of_different_size_are_refused(tmp_path: Path) -> None:
    first, other = ct(), ct((0, 0, 2))
    set_pixels(other, np.zeros((8, 6), dtype=np.uint16))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = only(tmp_path / "a", [first]), only(tmp_path / "b", [other])
    both = dataclasses.replace(one, frames=(*one.frames, *two.frames))
    with pytest.raises(GeometryError, match=f"{other.SOPInstanceUID}: its size"):
        read_volume(both)


def test_colour_slices_are_refused(tmp_path: Path) -> None:
    colour = ct(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    set_pixels(colour, np.zeros((4, 6), dtype=np.uint8))
    colour.PixelData = bytes(4 * 6 * 3)
    assert "colour" in _refusal(tmp_path, [colour]).problem


def test_truncated_pixel_data_names_the_object(tmp_path: Path) -> None:
    series = ct_series(3)
    series[1].PixelData = series[1].PixelData[:20]
    with pytest.raises(ObjectError, match=f"^{series[1].SOPInstanceUID}: its pixel data cannot be decoded"):
        read_image(only(tmp_path, series), Volume)


def test_a_file_that_is_gone_names_the_object(tmp_path: Path) -> None:
    stack = only(tmp_path, ct_series(1))
    Path(stack.frames[0].path).unlink()
    with pytest.raises(ObjectError, match=stack.frames[0].sop_instance_uid):
        read_volume(stack)


def test_a_file_cut_short_names_the_object(tmp_path: Path) -> None:
    stack = only(tmp_path, ct_series(1))
    path = Path(stack.frames[0].path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ObjectError, match=stack.frames[0].sop_instance_uid):
        read_volume(stack)
