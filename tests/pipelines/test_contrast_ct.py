from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_node.images import Volume
from dicom_node.pipeline import Classification, Found, Model, Remark
from pipelines.contrast_ct import ContrastCT, enhance_stage
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


def published_answer(volume: Volume, enhanced: float, **settings: Any) -> Found:
    """EnhanceCls's stage with a network that gives every slice the same probability."""

    def network(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.tile(np.array([1 - enhanced, enhanced], np.float32), (len(batch), 1))

    return Model([enhance_stage(network, ContrastCT(settings).settings)])(volume)


@pytest.mark.parametrize(("enhanced", "value"), [(0.9, "enhanced"), (0.1, "non-enhanced"), (0.5, "uncertain")])
def test_the_published_network_is_cut_at_the_same_thresholds(enhanced: float, value: str) -> None:
    found = answer(published_answer(chest_ct(blood_hu=230), enhanced))
    assert found.value == value
    assert found.probability == pytest.approx(max(enhanced, 1 - enhanced))
    assert "of 5 slices voted enhanced" in found.detail


def test_the_published_network_is_not_believed_outside_the_chest() -> None:
    found = published_answer(chest_ct(blood_hu=230, lungs=False), 0.9)
    assert answer(found).value == "uncertain"
    assert any(isinstance(one, Remark) and "body region" in one.text for one in found)
