from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_node.images import Frame, Stack
from dicom_node.pipeline import Measurement, Model, Photograph, Remark, Segmentation
from pipelines.photographs import fields, sampled
from pipelines.polyp_es import AREA_SHARE, PROBABILITY, REGIONS, PolypES, PolypSettings, polyp_stage
from tests.pipelines.support import stack

ES: dict[str, Any] = {"Modality": "ES", "kind": "photo", "PhotometricInterpretation": "YBR_FULL_422"}


def picture(*, polyp: bool = True) -> NDArray[np.uint8]:
    """Mucosa in a black frame with letters beside it; a polyp is what is green."""
    made = np.zeros((300, 400, 3), np.uint8)
    cv2.putText(made, "12:30", (10, 60), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2)
    made[20:280, 120:390] = (170, 70, 60)
    if polyp:
        cv2.circle(made, (300, 120), 30, (40, 180, 60), -1)
    return made


def green(batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """A network that sees green in blue, green, red."""
    return 20 * (batch[:, 1:2] - 0.5)


def film(frames: int, **facts: Any) -> Stack:
    numbered = tuple(Frame("a.dcm", "1.2", "1.2.3", k) for k in range(1, frames + 1))
    return Stack("1", "1.1", numbered, {name: (value,) for name, value in {"slices": float(frames), **facts}.items()})


def test_border_and_letters_stay_outside_what_the_network_sees() -> None:
    (field,) = fields(picture()[None])
    assert (field.rows, field.columns) == (slice(20, 280), slice(120, 390))


@pytest.mark.parametrize("made", [np.full((90, 80, 3), 40, np.uint8), np.zeros((90, 80, 3), np.uint8)])
def test_a_picture_without_border_and_a_dark_one_are_taken_whole(made: NDArray[np.uint8]) -> None:
    (field,) = fields(made[None])
    assert (field.rows, field.columns) == (slice(0, 90), slice(0, 80))


def test_polyps_come_back_on_the_pictures_pixels_frame_by_frame() -> None:
    pictures = np.stack([picture(), picture(polyp=False)])
    found = Model([polyp_stage(green, PolypSettings())])(Photograph(pictures, film(2)))
    first, truth = found[0], (pictures[0] == (40, 180, 60)).all(-1)
    assert isinstance(first, Segmentation)
    assert 2 * (truth & (first.labels[0] == 1)).sum() / (truth.sum() + first.labels[0].sum()) > 0.97
    assert not first.labels[1].any()
    numbers = {(one.concept, one.frame): one.value for one in found if isinstance(one, Measurement)}
    assert numbers[PROBABILITY, 0] > 0.95
    assert numbers[AREA_SHARE, 0] == pytest.approx(truth.mean(), rel=0.03)
    assert numbers[REGIONS, 0] == 1
    assert all(frame == 0 for _, frame in numbers)
    assert Remark("1 of 2 frames looked at show a polyp; the film has 2") in found


@pytest.mark.parametrize(
    ("facts", "every_s", "most", "numbers"),
    [
        ({"FrameTime": 500.0}, 1.0, 60, [1, 3, 5, 7, 9]),
        ({"CineRate": 5.0}, 1.0, 60, [1, 6]),
        ({"FrameTime": 500.0}, 0.0, 60, list(range(1, 11))),
        ({"FrameTime": 500.0}, 1.0, 2, [1, 6]),
        ({}, 1.0, 60, [1]),
    ],
)
def test_a_film_is_looked_at_by_the_second(
    facts: dict[str, float], every_s: float, most: int, numbers: list[int]
) -> None:
    assert [one.number for one in sampled(film(10, **facts), every_s, most).frames] == numbers


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"StudyDescription": "Gastroscopy"}, "another organ"),
        ({"SeriesDescription": "EGD"}, "another organ"),
        ({"Modality": "US"}, "Modality"),
        ({"kind": "radiograph"}, "kind"),
        ({"PhotometricInterpretation": "MONOCHROME2"}, "PhotometricInterpretation is MONOCHROME2, grey"),
    ],
)
def test_what_it_should_not_see_is_refused(facts: dict[str, Any], reason: str) -> None:
    assert reason in (PolypES().refuse(stack(**{**ES, **facts})) or "")


def test_colonoscopy_is_not_refused_and_other_light_is_said() -> None:
    seen = stack(**ES, StudyDescription="Colonoscopy, NBI")
    assert PolypES().refuse(seen) is None
    found = Model([polyp_stage(green, PolypSettings())])(Photograph(picture()[None], seen))
    assert any(isinstance(one, Remark) and "white light" in one.text for one in found)
