"""Which brains are delivered: drawn heads in many ways, and the two that were delivered wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import pipelines
from dicom_node.anatomy import judge
from dicom_node.config import Implausible
from dicom_node.errors import ImplausibleError
from dicom_node.findings import Finding, Remark, Segmentation
from dicom_node.images import Volume
from pipelines.brain_mr import BRAIN, BrainMR
from tests.pipelines.support import ROOT
from tests.support.heads import Head, ball, cylinder_phantom

HEADS = {
    "an adult's": Head(),
    "an adult's by age": Head(age="045Y"),
    "chin up": Head(chin_up_degrees=25),
    "chin down": Head(chin_up_degrees=-25),
    "large": Head(scale=1.08, age="030Y"),
    "small": Head(scale=0.9, age="080Y"),
    "a newborn's": Head(scale=0.65, spacing_mm=(2.0, 2.0, 2.0), age="002W"),
    "a child's of three": Head(scale=0.92, age="003Y"),
    "uncorrected coil": Head(shading=1.2),
    "thick slices": Head(spacing_mm=(5.0, 2.0, 2.0)),
}


def verdict(mask: NDArray[np.bool_], image: Volume, **outcomes: Any) -> tuple[Finding, ...]:
    found = (Segmentation(mask.astype(np.uint8), (BRAIN,)),)
    return judge(found, image, BrainMR().organs(), Implausible(**outcomes).model_dump())


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_brain_in_its_head_is_delivered_without_a_remark(head: Head) -> None:
    assert len(verdict(head.brain, head.image())) == 1
    assert len(verdict(head.brain | head.cord, head.image())) == 1


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_brain_with_tongue_and_floor_of_the_mouth_is_not(head: Head) -> None:
    with pytest.raises(ImplausibleError, match=r"because the brain found (takes in the face|is \d+ mm high)"):
        verdict(head.brain | head.bridge | head.tongue, head.image())


def test_a_tongue_alone_and_a_piece_of_neck_are_no_brain() -> None:
    head = Head(age="045Y")
    with pytest.raises(ImplausibleError, match="mm below the top of the head"):
        verdict(head.tongue, head.image())
    with pytest.raises(ImplausibleError, match="mm below the top of the head"):
        verdict(head.neck, head.image())


@pytest.mark.parametrize("radius_mm", [25, 60, 80])
def test_a_phantom_is_no_head_however_much_of_it_is_marked(radius_mm: float) -> None:
    phantom = cylinder_phantom()
    with pytest.raises(ImplausibleError, match="as even as a phantom"):
        verdict(ball(phantom, radius_mm), phantom)


def test_a_slab_that_shows_a_part_of_the_brain_is_judged_by_what_it_shows() -> None:
    head = Head()
    whole = head.image()
    slab = Volume(whole.array[50:70], whole.affine, "1.3", whole.stack)
    assert len(verdict(head.brain[50:70], slab)) == 1


def test_a_small_brain_of_an_adult_is_delivered_with_a_remark() -> None:
    head = Head(scale=0.82, age="045Y")
    *_, remark = verdict(head.brain, head.image())
    assert isinstance(remark, Remark)
    assert remark.text == "unusual: the brain found measures 824 mL; from 900 to 1950 mL are usual at this age"
    with pytest.raises(ImplausibleError, match="measures 824 mL"):
        verdict(head.brain, head.image(), volume="refuse")


def test_a_site_may_have_it_delivered_with_a_remark_or_without() -> None:
    head = Head()
    mask, image = head.brain | head.bridge | head.tongue, head.image()
    everything = dict.fromkeys(Implausible.model_fields, "remark")
    assert "takes in the face" in str(verdict(mask, image, **everything)[1])
    assert len(verdict(mask, image, **dict.fromkeys(everything, "ignore"))) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [("01_xa30_T1_unnormalised_tongue.dcm", "takes in the face"), ("02_phantom_as_brain", "as even as a phantom")],
)
def test_the_brains_that_were_delivered_wrongly_are_refused(name: str, why: str) -> None:
    path = ROOT.parent / "shared" / "cases" / name
    if not path.exists():
        pytest.skip(f"needs the case {name}, which is not part of the repository")
    with pytest.raises(ImplausibleError, match=why):
        pipelines.load("brain_mr").predict(Path(path))
