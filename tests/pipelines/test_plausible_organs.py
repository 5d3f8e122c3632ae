"""Which livers, kidneys, lungs, polyps and vessels are delivered, with what remarks, and what of a mask is left out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_node.anatomy import judge
from dicom_node.config import Implausible
from dicom_node.errors import ImplausibleError
from dicom_node.findings import Finding, Remark, Removed, Segment, Segmentation
from dicom_node.images import Image, Photograph, Radiograph, Volume
from dicom_node.pipeline import Pipeline
from pipelines import black_blood_mr, kidney_tumor_ct, liver_ct, lung_cxr, polyp_es
from pipelines.headers import RIGHT
from pipelines.volumetry import ABNORMALITY
from tests.pipelines.support import chest, radiograph, stack
from tests.support.heads import Head, ball, cylinder_phantom
from tests.support.trunks import STEP_MM, Trunk, water_phantom

LIVER, KIDNEY, LUNG, POLYP = (
    liver_ct.LiverCT(),
    kidney_tumor_ct.KidneyTumorCT(),
    lung_cxr.LungCXR(),
    polyp_es.PolypES(),
)
RIGHT_KIDNEY, LEFT_KIDNEY, RIGHT_TUMOUR, _ = kidney_tumor_ct.SEGMENTS
CODED = {"segment_code": "52988006", "segment_scheme": "SCT", "segment_meaning": "Lesion"}


def verdict(pipeline: Pipeline, image: Image, *marked: tuple[NDArray[np.bool_], Segment]) -> list[str]:
    """Return the remarks on label maps; raises where nothing is delivered."""
    labels = np.zeros(marked[0][0].shape, np.uint8)
    for mask, segment in marked:
        labels[mask] = segment.label
    found = (Segmentation(labels, tuple(segment for _, segment in marked)),)
    kept = judge(found, image, pipeline.organs(), Implausible().model_dump())
    return [one.text for one in kept if isinstance(one, Remark)]


def liver_verdict(mask: NDArray[np.bool_], image: Volume) -> list[str]:
    return verdict(LIVER, image, (mask, liver_ct.LIVER))


@pytest.mark.parametrize(
    "trunk", [Trunk(), Trunk(age="050Y"), Trunk(scale=0.6, age="003Y"), Trunk(scale=0.5, age="002M")]
)
def test_liver_and_kidneys_in_a_trunk_are_delivered_without_a_remark(trunk: Trunk) -> None:
    assert liver_verdict(trunk.liver, trunk.image) == []
    kidneys = ((trunk.kidney(-1), RIGHT_KIDNEY), (trunk.kidney(1), LEFT_KIDNEY))
    assert verdict(KIDNEY, trunk.image, *kidneys) == []


def test_a_liver_of_a_phantom_is_not_delivered() -> None:
    with pytest.raises(ImplausibleError, match=r"the liver found lies in no patient: 0\.\d% of the body is fat"):
        liver_verdict(Trunk().organ((0, 0, 0), (60, 80, 80)), water_phantom())


def test_a_liver_on_the_left_beside_the_patient_or_of_a_few_voxels_is_not_delivered() -> None:
    trunk = Trunk()
    with pytest.raises(ImplausibleError, match="the liver found lies on the left"):
        liver_verdict(trunk.liver[:, :, ::-1], trunk.image)
    with pytest.raises(ImplausibleError, match="only 0% is inside"):
        liver_verdict(trunk.organ((0, -130, -150), (60, 20, 40)), trunk.image)
    with pytest.raises(ImplausibleError, match="which no such organ does"):
        liver_verdict(trunk.organ((30, 0, -70), (16, 16, 24)), trunk.image)


def test_a_large_liver_and_polycystic_kidneys_are_delivered_with_a_remark() -> None:
    trunk = Trunk(age="050Y")
    (large,) = liver_verdict(trunk.organ((0, -10, -50), (110, 90, 100)), trunk.image)
    assert large.startswith("unusual: the liver found measures 41")
    cysts = trunk.organ((-20, 20, -75), (100, 65, 65)), trunk.organ((-20, 20, 75), (100, 65, 65))
    remarks = verdict(KIDNEY, trunk.image, (cysts[0], RIGHT_KIDNEY), (cysts[1], LEFT_KIDNEY))
    assert [text.partition(" measures")[0] for text in remarks] == [
        "unusual: the right kidney found",
        "unusual: the left kidney found",
    ]


def test_the_part_of_a_liver_that_the_images_show_is_not_called_small() -> None:
    trunk = Trunk(age="050Y")
    top = slice(50, 75)
    shown = Volume(trunk.image.array[top], trunk.image.affine, "1.3", trunk.image.stack)
    assert trunk.liver[top].sum() * STEP_MM**3 / 1000 < 700
    assert liver_verdict(trunk.liver[top], shown) == []


def test_a_kidney_on_the_wrong_side_is_not_delivered_and_its_tumour_counts_as_its_own() -> None:
    trunk = Trunk(age="050Y")
    with pytest.raises(ImplausibleError, match="the right kidney found lies on the left side"):
        verdict(KIDNEY, trunk.image, (trunk.kidney(1), RIGHT_KIDNEY))
    tumour = trunk.organ((-40, 20, -60), (50, 45, 45))
    (remark,) = verdict(KIDNEY, trunk.image, (trunk.kidney(-1), RIGHT_KIDNEY), (tumour, RIGHT_TUMOUR))
    assert remark.startswith("unusual: the right kidney found measures")


def lungs(picture: NDArray[np.uint8]) -> list[tuple[NDArray[np.bool_], Segment]]:
    """The dark halves of the drawn chest."""
    rows, columns = picture.shape
    sides = []
    for segment, side in zip(lung_cxr.named("L"), (-1, 1), strict=True):
        mask = np.zeros((rows, columns), np.uint8)
        centre = int(columns * (0.5 + 0.19 * side)), int(rows * 0.48)
        cv2.ellipse(mask, centre, (int(columns * 0.13), int(rows * 0.3)), 0, 0, 360, 1, -1)
        sides.append((mask[None] > 0, segment))
    return sides


def test_the_lungs_of_a_chest_are_delivered_and_those_of_a_flat_field_are_not() -> None:
    picture = chest()
    assert verdict(LUNG, radiograph(picture), *lungs(picture)) == []
    grain = np.random.default_rng(0).integers(0, 256, picture.shape).astype(np.uint8)
    with pytest.raises(ImplausibleError, match="lies in no patient"):
        verdict(LUNG, radiograph(grain), *lungs(picture))


def test_lungs_brighter_than_the_chest_or_lying_on_their_side_are_not_delivered() -> None:
    picture = chest()
    with pytest.raises(ImplausibleError, match="brighter than what surrounds it"):
        verdict(LUNG, radiograph((255 - picture).astype(np.uint8)), *lungs(picture))
    turned = np.ascontiguousarray(picture.T)
    lying = [(np.ascontiguousarray(mask.transpose(0, 2, 1)), segment) for mask, segment in lungs(picture)]
    with pytest.raises(ImplausibleError, match="lies on its side"):
        verdict(LUNG, radiograph(turned), *lying)


def test_the_small_rest_of_a_lung_gets_a_remark() -> None:
    picture = chest()
    left, right = lungs(picture)
    rest = left[0] & (np.arange(picture.shape[0]) < 170)[:, None]
    (remark,) = verdict(LUNG, radiograph(picture), (rest, left[1]), right)
    assert remark.startswith("unusual: the right lung found is small: ")


@pytest.mark.parametrize(
    ("colour", "why"), [((200, 90, 80), ""), ((90, 140, 120), ""), ((128, 128, 128), "the picture has no colour")]
)
def test_polyps_lie_on_coloured_mucosa(colour: tuple[int, int, int], why: str) -> None:
    picture = np.full((1, 100, 100, 3), colour, np.uint8)
    picture[:, :, :20] = 0
    image = Photograph(picture, stack())
    mask = np.zeros((1, 100, 100), bool)
    mask[:, 40:60, 40:60] = True
    if why:
        with pytest.raises(ImplausibleError, match=why):
            verdict(POLYP, image, (mask, polyp_es.POLYP))
    else:
        assert verdict(POLYP, image, (mask, polyp_es.POLYP)) == []


def test_a_polyp_on_the_black_border_is_not_delivered() -> None:
    picture = np.full((1, 100, 100, 3), (200, 90, 80), np.uint8)
    picture[:, :, :40] = 0
    mask = np.zeros((1, 100, 100), bool)
    mask[:, 40:60, 10:30] = True
    with pytest.raises(ImplausibleError, match="only 0% is in the endoscope's field"):
        verdict(POLYP, Photograph(picture, stack()), (mask, polyp_es.POLYP))


def test_what_a_site_names_on_black_blood_lies_in_a_patient() -> None:
    pipeline = black_blood_mr.BlackBloodMR(CODED)
    segment = Segment(1, "Lesion", ABNORMALITY, pipeline.settings.segment, (220, 60, 60))
    head, phantom = Head().image(), cylinder_phantom()
    assert verdict(pipeline, head, (ball(head, 12, (60, 40, 30)), segment)) == []
    with pytest.raises(ImplausibleError, match="the Lesion found is as even as a phantom"):
        verdict(pipeline, phantom, (ball(phantom, 12), segment))


def removed(found: tuple[Finding, ...]) -> list[tuple[int, float, str]]:
    return [(one.parts, round(one.value, 1), one.unit.value) for one in found if isinstance(one, Removed)]


def test_a_liver_is_one_part_and_the_others_are_recorded_in_millilitres() -> None:
    trunk = Trunk()
    spleen = trunk.organ((30, 30, 110), (30, 20, 20))
    found = liver_ct.one_liver((trunk.liver | spleen).astype(np.uint8), trunk.image)
    assert isinstance(found[0], Segmentation)
    assert np.array_equal(found[0].labels > 0, trunk.liver)
    assert removed(found) == [(1, round(int(spleen.sum()) * STEP_MM**3 / 1000, 1), "mL")]
    assert removed(liver_ct.one_liver(trunk.liver.astype(np.uint8), trunk.image)) == []


def test_kidneys_are_two_parts_and_the_others_are_recorded() -> None:
    trunk = Trunk()
    labels = (trunk.kidney(-1) | trunk.kidney(1) | trunk.organ((80, 0, 0), (9, 9, 9))).astype(np.uint8)
    found = kidney_tumor_ct.slices_told(labels, trunk.image, kidney_tumor_ct.KidneySettings())
    assert [parts for parts, _, _ in removed(found)] == [1]


@pytest.mark.parametrize(("spacing_mm", "unit", "each"), [((0.5, 0.5), "mm2", 0.25), (None, "{pixels}", 1.0)])
def test_what_is_no_lung_is_recorded_in_square_millimetres_or_pixels(
    spacing_mm: tuple[float, float] | None, unit: str, each: float
) -> None:
    picture = chest()
    sides = lungs(picture)
    likely = np.stack([mask[0] for mask, _ in sides]).astype(np.float32)
    likely[0, :20, :20] = 1
    image = Radiograph(picture, picture, spacing_mm, stack())
    found: Any = lung_cxr.lungs_found(likely, image, lung_cxr.LungSettings())
    assert removed(found) == [(1, 400 * each, unit)]
    assert {segment.laterality == RIGHT for segment in found[0].segments} == {False}
