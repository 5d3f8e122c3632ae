from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_node.images import Radiograph
from dicom_node.pipeline import Detection, ErasedImage, Found, Model, Remark
from pipelines.lr_mark_cxr import CONCEPT, LRMarkCXR, Mark, decoded, iou, mark_stage
from tests.pipelines.support import chest, radiograph, stack, weights


@pytest.fixture(scope="module")
def model() -> Model:
    return LRMarkCXR().load(weights("lr_mark_cxr_small"), "cpu")


def marked(letter: str, x: int, y: int) -> NDArray[np.uint8]:
    """A drawn chest of 1200 x 1120 pixels with a letter 40 pixels high whose lower left corner is at (x, y)."""
    picture = cv2.resize(chest(), (1120, 1200), interpolation=cv2.INTER_LINEAR)
    return np.asarray(
        cv2.putText(picture, letter, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1.9, 250, 6, cv2.LINE_AA), np.uint8
    )


def twelve_bits(picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
    grain = np.random.default_rng(2).integers(0, 16, picture.shape)
    return np.asarray(picture.astype(np.uint16) * 16 + grain, np.uint16)


def only(found: Found, kind: type[Any]) -> Any:
    return next((one for one in found if isinstance(one, kind)), None)


def drawn_box(letter: str, x: int, y: int) -> Mark:
    plain = cv2.resize(chest(), (1120, 1200), interpolation=cv2.INTER_LINEAR)
    rows, columns = np.nonzero(cv2.absdiff(marked(letter, x, y), plain) > 20)
    return Mark("LR".index(letter), 1.0, columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize(("letter", "x", "y"), [("L", 1000, 120), ("R", 80, 130), ("L", 960, 700)])
def test_a_drawn_mark_is_found_where_it_is(model: Model, letter: str, x: int, y: int) -> None:
    detection = only(model(radiograph(marked(letter, x, y))), Detection)
    assert [box.name for box in detection.boxes] == [letter]
    box = detection.boxes[0]
    assert iou(Mark(0, 1.0, box.x1, box.y1, box.x2, box.y2), drawn_box(letter, x, y)) > 0.5
    assert box.code.meaning == {"L": "Left", "R": "Right"}[letter]


def test_only_pixels_inside_the_boxes_are_replaced_at_full_depth(model: Model) -> None:
    picture = marked("L", 1000, 120)
    stored = twelve_bits(picture)
    erased = only(model(radiograph(picture, stored)), ErasedImage)
    inside = np.zeros(stored.shape, bool)
    for box in erased.boxes:
        inside[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = True
    assert erased.stored.dtype == np.uint16
    assert erased.stored.max() <= 4095
    assert np.array_equal(erased.stored[~inside], stored[~inside])


def test_nothing_is_left_of_the_mark(model: Model) -> None:
    picture = marked("R", 80, 130)
    erased = only(model(radiograph(picture)), ErasedImage)
    assert only(model(radiograph(erased.stored)), Detection).boxes == ()
    mark = drawn_box("R", 80, 130)
    assert erased.stored[int(mark.y1) : int(mark.y2), int(mark.x1) : int(mark.x2)].max() < 120


def test_an_image_without_mark_yields_no_box_and_no_erased_copy(model: Model) -> None:
    found = model(radiograph(chest()))
    assert only(found, Detection).boxes == ()
    assert only(found, ErasedImage) is None


@pytest.mark.parametrize(("orientation", "disagrees"), [(("L", "F"), False), (("R", "F"), True), ((), False)])
def test_a_mark_on_the_wrong_side_is_remarked(model: Model, orientation: tuple[str, ...], disagrees: bool) -> None:
    facts: dict[str, Any] = {"PatientOrientation": orientation} if orientation else {}
    remark = only(model(radiograph(marked("L", 1000, 120), **facts)), Remark)
    assert (remark is not None) is disagrees
    if remark is not None:
        assert remark.text.startswith("mark and header disagree")
        assert remark.doubts_sides


@pytest.mark.parametrize("keyword", ["Laterality", "ImageLaterality"])
def test_a_mark_that_contradicts_the_headers_laterality_is_remarked(keyword: str) -> None:
    box = (0, 0.95, (328.0, 20.0, 338.0, 40.0))
    headers: list[dict[str, Any]] = [{keyword: side} for side in ("R", "L", "B")]
    said = [only(published_marks(radiograph(chest(), **header), box), Remark) for header in headers]
    assert said[0].text == f"mark and header disagree: the mark is L, {keyword} is R"
    assert said[0].doubts_sides
    assert said[1:] == [None, None]


def test_of_two_overlapping_peaks_the_surer_stays() -> None:
    maps = np.full((6, 160, 160), -9, np.float32)
    maps[2:] = np.log(4)
    maps[0, 40, 40], maps[1, 41, 41], maps[1, 100, 100] = 2.0, 1.0, 0.5
    found = decoded(maps, LRMarkCXR().settings)
    assert [mark.side for mark in found] == [0, 1]
    assert (found[0].x1, found[0].y2) == pytest.approx((40.5 * 4 - 16, 40.5 * 4 + 16), abs=0.01)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"Modality": "CT"}, "Modality"),
        ({"kind": "localizer"}, "kind"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "FOR PROCESSING"),
        ({"Rows": 128}, "at least 256"),
    ],
)
def test_what_is_no_radiograph_for_presentation_is_refused(facts: dict[str, Any], reason: str) -> None:
    assert reason in (LRMarkCXR().refuse(stack(**{"Modality": "DX", **facts})) or "")


def test_any_view_is_taken() -> None:
    assert LRMarkCXR().refuse(stack(Modality="CR", kind="radiograph", ViewPosition="LL", Rows=2000)) is None


def published_marks(image: Radiograph, *marks: tuple[int, float, tuple[float, float, float, float]]) -> Found:
    """LRDet's stage with a network that sees marks of label, score and box in its square of 512 pixels."""

    def network(_: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        padded = [*marks, *[(-1, -1.0, (-1.0,) * 4)] * (300 - len(marks))]
        labels, scores, boxes = (np.array(one, np.float32)[None] for one in zip(*padded, strict=True))
        return {"det_boxes": boxes, "det_scores": scores, "det_labels": labels}

    return Model([mark_stage(network, LRMarkCXR().settings)])(image)


def test_published_marks_come_back_on_the_source_grid() -> None:
    image = radiograph(np.zeros((1024, 512), np.uint8), PatientOrientation=("L", "F"))
    found = published_marks(image, (0, 0.95, (328, 20, 338, 40)), (1, 0.9, (140, 20, 150, 40)))
    boxes = only(found, Detection).boxes
    assert [(box.name, box.x1, box.y1, box.x2, box.y2) for box in boxes] == [
        ("L", 400, 40, 420, 80),
        ("R", 24, 40, 44, 80),
    ]
    assert only(found, ErasedImage) is not None
    assert only(found, Remark) is None


def test_of_both_published_letters_on_one_place_the_surer_stays() -> None:
    box = (300.0, 20.0, 310.0, 40.0)
    found = published_marks(radiograph(np.zeros((512, 512), np.uint8)), (0, 0.88, box), (1, 0.95, box))
    assert [one.name for one in only(found, Detection).boxes] == ["R"]


def test_no_published_mark_is_a_result() -> None:
    assert published_marks(radiograph(chest())) == (Detection(CONCEPT, ()),)
