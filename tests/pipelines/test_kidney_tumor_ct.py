from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicom_node.images import Volume
from dicom_node.pipeline import Measurement, Remark, Segmentation, WeightsError
from dicom_node.weights_store import Weights
from pipelines.kidney_tumor_ct import AGREEMENT, ROLES, SEGMENTS, KidneySettings, KidneyTumorCT, voted
from pipelines.published.kidney import Vote
from pipelines.volumetry import LONG_AXIS, MEAN_ATTENUATION, VOLUME, longest_diameter_mm
from tests.pipelines.support import stack

CT: dict[str, Any] = {"Modality": "CT", "kind": "volume", "plane": "axial", "spacing_mm": 3.0, "extent_mm": 240.0}
GOOD = {**CT, "slices": 80.0, "contrast": "enhanced"}


def volume() -> tuple[Volume, np.ndarray]:
    """Two kidneys, the left one with a tumour of 8 voxels of 3 x 1 x 1 mm."""
    labels = np.zeros((12, 20, 40), np.uint8)
    labels[3:9, 5:15, 5:15], labels[3:9, 5:15, 25:35], labels[5:7, 8:10, 28:30] = 1, 2, 4
    affine = np.diag([0.0, 0, 0, 1])
    affine[2, 0], affine[1, 1], affine[0, 2] = 3, 1, 1
    hu = np.choose(labels, [-100, 150, 140, 0, 60]).astype(np.float32)
    return Volume(hu, affine, "1.3", stack(12)), labels


def test_each_side_has_its_kidney_and_its_tumour_with_volume_attenuation_and_agreement() -> None:
    image, labels = volume()
    found = voted(Vote(labels, {1: 1.0, 2: 0.9, 4: 0.6}), image, KidneySettings())
    numbers = {(one.concept, one.of): one.value for one in found if isinstance(one, Measurement)}
    assert numbers[VOLUME, "right kidney"] == pytest.approx(1.8)
    assert numbers[VOLUME, "left kidney tumour"] == pytest.approx(0.024)
    assert numbers[MEAN_ATTENUATION, "left kidney tumour"] == pytest.approx(60)
    assert numbers[LONG_AXIS, "left kidney tumour"] == pytest.approx(8**0.5)
    assert (LONG_AXIS, "left kidney") not in numbers
    assert numbers[AGREEMENT, "left kidney tumour"] == pytest.approx(0.6)
    assert (VOLUME, "right kidney tumour") not in numbers


def test_a_diameter_is_of_one_part_in_one_slice_from_edge_to_edge_in_mm() -> None:
    mask = np.zeros((3, 20, 20), bool)
    mask[0, 2, 1:4] = True  # one row of three pixels
    mask[1, 5:9, 5], mask[1, 15:17, 15] = True, True  # one column of four and, apart from it, one of two
    turn = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]) @ np.diag([5.0, 2.0, 0.5])  # mm per slice, row, column
    affine = np.eye(4)
    affine[:3, :3] = turn
    image = Volume(np.zeros(mask.shape, np.float32), affine, "1.3", stack(3))
    assert longest_diameter_mm(mask, image) == pytest.approx(((4 * 2.0) ** 2 + 0.5**2) ** 0.5)
    assert longest_diameter_mm(mask & False, image) == 0


def test_sides_are_segments_of_their_own_with_laterality() -> None:
    sides = [(one.name, one.laterality.meaning if one.laterality else "") for one in SEGMENTS]
    assert sides == [
        ("right kidney", "Right"),
        ("left kidney", "Left"),
        ("right kidney tumour", "Right"),
        ("left kidney tumour", "Left"),
    ]


def test_a_tumour_below_the_sites_limit_is_kidney() -> None:
    image, labels = volume()
    first = voted(Vote(labels, {}), image, KidneySettings(min_tumour_ml=0.1))[0]
    assert isinstance(first, Segmentation)
    assert set(np.unique(first.labels)) == {0, 1, 2}


def test_a_missing_kidney_is_said() -> None:
    image, labels = volume()
    found = voted(Vote(np.where(labels == 1, 1, 0).astype(np.uint8), {1: 1.0}), image, KidneySettings())
    assert Remark("no left kidney was found") in found


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"contrast": "non-enhanced"}, "contrast is non-enhanced"),
        ({"contrast": "uncertain"}, "contrast is uncertain"),
        ({"contrast": (), "SeriesDescription": "ABDOMEN PLAIN"}, "not contrast-enhanced"),
        ({"SeriesDescription": "Kidney delayed 5min"}, "renal pelvis"),
        ({"SeriesDescription": "EXCRETORY_PHASE"}, "renal pelvis"),
        ({"spacing_mm": 7.0}, "at most 5 mm"),
        ({"extent_mm": 90.0}, "at least 120 mm"),
        ({"slices": 24.0}, "at least 30"),
        ({"plane": "coronal"}, "plane"),
        ({"Modality": "MR"}, "Modality"),
    ],
)
def test_what_it_should_not_see_is_refused(facts: dict[str, Any], reason: str) -> None:
    assert reason in (KidneyTumorCT().refuse(stack(**{**GOOD, **facts})) or "")


def test_an_enhanced_kidney_scan_is_not_refused() -> None:
    assert KidneyTumorCT().refuse(stack(**GOOD, SeriesDescription="Kidney nephrographic")) is None


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"stage1": "KidneyTumorSeg_1"}, "stage2_1, stage2_2, stage2_3, stage2_4, stage2_5 are missing"),
        ({**ROLES, "stage2_3": "KidneyTumorSeg_2_4"}, "recipe KidneyTumorSeg_2_4 in role stage2_3"),
        ({"": "LiverSeg"}, "is none of kidney_tumor_ct's"),
    ],
)
def test_wrong_roles_are_named(roles: dict[str, str], said: str) -> None:
    entries = {role: Weights(f"w{role}", Path("none"), "0" * 64, recipe, {}) for role, recipe in roles.items()}
    with pytest.raises(WeightsError, match=said):
        KidneyTumorCT().load(entries, "cpu")
