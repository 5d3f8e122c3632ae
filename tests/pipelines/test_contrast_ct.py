from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dicom_node.images import Volume
from dicom_node.pipeline import Classification, Found, Model, Remark
from pipelines.contrast_ct import ContrastCT
from tests.pipelines.support import chest_ct, stack, weights


@pytest.fixture(scope="module")
def gate() -> Model:
    return ContrastCT().load(weights("contrast_ct_small"), "cpu")


def answer(found: Found) -> Classification:
    first = found[0]
    assert isinstance(first, Classification)
    return first


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"Modality": "MR"}, "Modality"),
        ({"Modality": "CT", "kind": "localizer"}, "kind"),
        ({"Modality": "CT", "kind": "volume", "plane": "coronal"}, "plane"),
        ({"Modality": "CT", "ImageType": ("DERIVED", "SECONDARY", "MIP")}, "MIP"),
    ],
)
def test_what_is_no_axial_ct_is_refused(facts: dict[str, Any], reason: str) -> None:
    assert reason in (ContrastCT().refuse(stack(**facts)) or "")


def test_a_compressed_axial_ct_is_not_refused() -> None:
    facts: dict[str, Any] = {
        "Modality": "CT",
        "kind": "volume",
        "plane": "axial",
        "ImageType": ("DERIVED", "PRIMARY", "AXIAL"),
    }
    assert ContrastCT().refuse(stack(**facts)) is None


def test_bright_blood_is_enhanced_and_grey_blood_is_not(gate: Model) -> None:
    assert answer(gate(chest_ct(blood_hu=230))).value == "enhanced"
    assert answer(gate(chest_ct(blood_hu=42))).value == "non-enhanced"


def test_a_volume_of_one_slice_is_judged(gate: Model) -> None:
    found = answer(gate(chest_ct(blood_hu=230, slices=1)))
    assert found.value == "enhanced"
    assert "1 of 1 slices voted enhanced" in found.detail


def test_the_order_of_slices_and_rows_does_not_matter(gate: Model) -> None:
    volume = chest_ct(blood_hu=230)
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    flipped = Volume(volume.array[:, ::-1, ::-1], volume.affine @ flip, "1.3", volume.stack)
    assert answer(gate(flipped)).probability == pytest.approx(answer(gate(volume)).probability, abs=0.02)


def test_a_stack_without_lung_is_uncertain_and_says_why(gate: Model) -> None:
    found = gate(chest_ct(blood_hu=230, lungs=False))
    assert answer(found).value == "uncertain"
    assert any(isinstance(one, Remark) and "outside the trained body region" in one.text for one in found)


def test_a_probability_between_the_thresholds_is_uncertain() -> None:
    strict = ContrastCT({"enhanced_at": 1.0, "non_enhanced_at": 0.0}).load(weights("contrast_ct_small"), "cpu")
    assert answer(strict(chest_ct(blood_hu=230))).value == "uncertain"


def test_the_answer_carries_the_headers_claim(gate: Model) -> None:
    volume = chest_ct(blood_hu=42)
    claimed = Volume(volume.array, volume.affine, "1.3", stack(5, ContrastBolusAgent="OMNIPAQUE"))
    assert (answer(gate(claimed)).value, answer(gate(claimed)).claim) == ("non-enhanced", "enhanced")
