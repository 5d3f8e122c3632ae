from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

from dicom_node import shipped
from dicom_node.images import Radiograph
from dicom_node.pipeline import Found, Measurement, Model, Remark, Segmentation
from dicom_node.weights_store import read_catalog
from pipelines.lung_cxr import LungCXR, LungSettings, TwoLungs, lung_stage
from tests.pipelines.support import chest, radiograph, stack, weights


@pytest.fixture(scope="module")
def model() -> Model:
    return LungCXR().load(weights("lung_cxr_small"), "cpu")


def two_squares(rows: slice = slice(80, 180)) -> NDArray[np.float32]:
    """A network's output: a wide square at the image's left, a narrow one at its right."""
    output = np.zeros((2, 256, 256), np.float32)
    output[0, rows, 50:120] = 1
    output[1, rows, 160:200] = 1
    return output


def finished(model: Model, image: Radiograph, output: NDArray[np.float32] | None = None) -> Found:
    return model.stages[0].finish(two_squares() if output is None else output, image)


def segmentation(found: Found) -> Segmentation:
    first = found[0]
    assert isinstance(first, Segmentation)
    return first


@pytest.mark.parametrize("shape", [(600, 400), (300, 500), (2048, 2048)])
def test_the_mask_lies_on_the_source_grid(model: Model, shape: tuple[int, int]) -> None:
    labels = segmentation(finished(model, radiograph(np.zeros(shape, np.uint8)))).labels
    scale = max(shape) / 256
    rows, columns = np.nonzero(labels[0] == 1)
    assert labels.shape == (1, *shape)
    assert rows.mean() == pytest.approx(shape[0] / 2 + (129.5 - 128) * scale, abs=scale)
    assert columns.mean() == pytest.approx(shape[1] / 2 + (84.5 - 128) * scale, abs=scale)


def test_the_patients_right_is_at_the_images_left_when_columns_grow_to_the_left(model: Model) -> None:
    found = segmentation(finished(model, radiograph(chest(), PatientOrientation=("L", "F"))))
    sides = {segment.name: segment.laterality.meaning for segment in found.segments if segment.laterality}
    assert sides == {"right lung": "Right", "left lung": "Left"}
    assert np.nonzero(found.labels[0] == 1)[1].mean() < np.nonzero(found.labels[0] == 2)[1].mean()


def test_a_flipped_radiograph_swaps_the_lungs(model: Model) -> None:
    found = segmentation(finished(model, radiograph(chest(), PatientOrientation=("R", "F"))))
    assert found.segments[0].name == "right lung"
    assert np.nonzero(found.labels[0] == 1)[1].mean() > np.nonzero(found.labels[0] == 2)[1].mean()


def test_without_orientation_no_lung_gets_a_laterality(model: Model) -> None:
    found = finished(model, radiograph(chest()))
    assert [segment.name for segment in segmentation(found).segments] == ["image-left lung", "image-right lung"]
    assert all(segment.laterality is None for segment in segmentation(found).segments)
    assert any(isinstance(one, Remark) and "PatientOrientation" in one.text for one in found)


def test_areas_are_in_square_millimetres_where_the_spacing_is_known(model: Model) -> None:
    image = Radiograph(chest(512, 512), chest(512, 512), (0.5, 0.4), stack())
    found = [one for one in finished(model, image) if isinstance(one, Measurement)]
    assert found[0].unit.value == "mm2"
    assert found[0].value == pytest.approx(200 * 140 * 0.2, rel=0.02)
    assert found[2].value == pytest.approx(70 / 40, rel=0.03)


def test_areas_are_shares_of_the_image_where_it_is_not(model: Model) -> None:
    found = [one for one in finished(model, radiograph(chest(512, 512))) if isinstance(one, Measurement)]
    assert found[0].unit.value == "1"
    assert found[0].value == pytest.approx(100 * 70 / 256**2, rel=0.02)


def test_finding_no_lung_is_a_result(model: Model) -> None:
    found = finished(model, radiograph(chest()), np.zeros((2, 256, 256), np.float32))
    assert not segmentation(found).labels.any()
    assert Remark("no lung was found") in found


def test_a_speck_is_not_a_lung(model: Model) -> None:
    output = two_squares(slice(100, 104))
    output[1] = two_squares()[1]
    found = finished(model, radiograph(chest()), output)
    assert not (segmentation(found).labels == 1).any()
    assert Remark("only one lung was found") in found


def test_the_lungs_of_a_drawn_chest_are_found(model: Model) -> None:
    picture = chest()
    labels = segmentation(model(radiograph(picture))).labels[0]
    assert labels[288, int(560 * 0.31)] == 1
    assert labels[288, int(560 * 0.69)] == 2
    assert 0.1 < (labels > 0).mean() < 0.4


def test_a_child_is_flagged_as_outside_the_trained_age(model: Model) -> None:
    found = finished(model, radiograph(chest(), PatientAge="018M"))
    assert any(isinstance(one, Remark) and "age" in one.text for one in found)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"kind": "volume"}, "kind"),
        ({"Modality": "CT"}, "Modality"),
        ({"ViewPosition": "LL"}, "ViewPosition"),
        ({"view": "lateral"}, "view"),
        ({"SeriesDescription": "Chest decubitus"}, "SeriesDescription"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "FOR PROCESSING"),
        ({"Rows": 200, "Columns": 200}, "at least 256"),
        ({"Rows": 1000, "Columns": 2000}, "width by height"),
    ],
)
def test_what_is_no_frontal_radiograph_is_refused(facts: dict[str, Any], reason: str) -> None:
    assert reason in (LungCXR().refuse(stack(**{"Modality": "DX", **facts})) or "")


def test_a_secondary_capture_is_taken_only_where_the_site_says_so() -> None:
    capture = stack(Modality="OT", kind="capture")
    assert "kind" in (LungCXR().refuse(capture) or "")
    assert LungCXR({"captures": True}).refuse(capture) is None


def test_a_portable_frontal_radiograph_is_not_refused() -> None:
    facts: dict[str, Any] = {
        "Modality": "CR",
        "kind": "radiograph",
        "ViewPosition": "AP",
        "StudyDescription": "CHEST PA AND LATERAL",
    }
    assert LungCXR().refuse(stack(**facts, Rows=2500, Columns=2048)) is None


def published_lungs(mask: NDArray[np.bool_], image: Radiograph) -> Found:
    """LungSeg's stage with a network that sees `mask`, (1024, 1024)."""
    return Model([lung_stage(lambda _: mask[None, ..., None].astype(np.float32), LungCXR().settings)])(image)


def both_lungs(touching: bool = False) -> NDArray[np.bool_]:
    mask = np.zeros((1024, 1024), bool)
    mask[300:700, 200:450] = True
    mask[300:700, 600:760] = True
    if touching:
        mask[480:500, 450:600] = True
    return mask


@pytest.mark.parametrize("touching", [False, True])
@pytest.mark.parametrize(("direction", "wide"), [("L", "right lung"), ("R", "left lung")])
def test_the_published_mask_is_parted_into_the_two_lungs(touching: bool, direction: str, wide: str) -> None:
    image = radiograph(chest(512, 512), PatientOrientation=(direction, "F"))
    found = segmentation(published_lungs(both_lungs(touching), image))
    areas = {segment.name: int((found.labels == segment.label).sum()) for segment in found.segments}
    assert max(areas, key=lambda name: areas[name]) == wide
    assert sorted(areas.values()) == pytest.approx([200 * 80, 200 * 125], rel=0.1)


def test_a_published_lung_alone_belongs_to_its_half() -> None:
    mask = both_lungs()
    mask[:, :500] = False
    found = published_lungs(mask, radiograph(chest(512, 512)))
    assert set(np.unique(segmentation(found).labels)) == {0, 2}
    assert Remark("only one lung was found") in found


def test_an_empty_published_mask_is_a_result() -> None:
    found = published_lungs(np.zeros((1024, 1024), bool), radiograph(chest()))
    assert not segmentation(found).labels.any()


class Bright(nn.Module):
    """A network that takes for both lungs what is white."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.repeat(1, 2, 1, 1) * 20


def test_the_closer_look_lies_on_the_grid_of_the_first() -> None:
    stage = TwoLungs(read_catalog(shipped.WEIGHTS)["lung_cxr_small"], LungSettings(), "cpu")
    stage.network = Bright()  # type: ignore[assignment]  # a stand-in for what was loaded
    square = np.full((1, 1, 256, 256), -1, np.float32)
    square[..., 5:120, 30:200] = 1
    found = stage.infer(square)[0] > 0.5
    assert np.array_equal(found[:118, 32:198], square[0, 0, :118, 32:198] > 0)
    assert not found[122:].any()


@pytest.mark.parametrize(("orientation", "right_first"), [(("L", "F"), True), (("R", "F"), False)])
def test_each_lung_has_the_networks_own_probabilities(
    model: Model, orientation: tuple[str, str], right_first: bool
) -> None:
    output = two_squares() * np.array([0.9, 0.6], np.float32)[:, None, None]
    found = segmentation(finished(model, radiograph(chest(512, 512), PatientOrientation=orientation), output))
    assert found.probabilities is not None
    assert found.probabilities.shape == (2, 1, 512, 512)
    likeliest = [int(layer.max()) for layer in found.probabilities]
    assert likeliest == ([230, 153] if right_first else [153, 230])
    for segment, layer in zip(found.segments, found.probabilities, strict=True):
        assert layer[found.labels == segment.label].min() >= 127
