import datetime as dt
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom import dcmread

import pipelines
from dicom_node import shipped
from dicom_node.config import load_config
from dicom_node.demo.studies import radiograph_study
from dicom_node.errors import ObjectError, RefusalError
from dicom_node.findings import Segmentation
from dicom_node.library import Loaded, load_from, run_to_files
from tests.imaging.objects import ct, multi_frame_ct
from tests.support.dicom import encoded, series


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (image,) = radiograph_study("library", dt.datetime.now(dt.UTC).date())
    path = tmp_path_factory.mktemp("chest") / "chest.dcm"
    image.save_as(path, enforce_file_format=True)
    return path


def test_three_lines_give_image_and_findings(chest: Path) -> None:
    lungs = pipelines.load("lung_cxr")
    result = lungs.predict(chest)
    (found,) = result.findings.of(Segmentation)
    assert found.labels.shape[1:] == result.image.stored.shape
    assert {segment.name for segment in found.segments} == {"right lung", "left lung"}


def test_a_picture_without_a_header_gives_the_same_mask_without_sides(chest: Path, tmp_path: Path) -> None:
    lungs = pipelines.load("lung_cxr")
    from_dicom = lungs.predict(chest)
    cv2.imwrite(str(tmp_path / "chest.png"), from_dicom.image.picture)
    (found,) = lungs.predict(tmp_path / "chest.png").findings.of(Segmentation)
    (expected,) = from_dicom.findings.of(Segmentation)
    assert np.mean((found.labels > 0) == (expected.labels > 0)) > 0.999
    assert all(segment.laterality is None for segment in found.segments)


def test_run_writes_objects_masks_and_pictures(chest: Path, tmp_path: Path) -> None:
    config = load_config(shipped.CONFIG)
    files = list(run_to_files(config, Loaded(config, "lung_cxr"), chest, tmp_path / "out"))
    assert sorted(path.suffix for path in files) == [".dcm", ".dcm", ".png", ".png"]
    assert {dcmread(path).Modality for path in files if path.suffix == ".dcm"} == {"SEG", "SR"}


ORGAN = """
[pipelines.organ]
use = "tests.support.stand_in:StandInOrgan"
outputs = ["SEG", "SC", "SR"]
"""


@pytest.mark.parametrize("multi_frame", [True, False], ids=["multi-frame", "single frames"])
def test_run_draws_the_frames_that_it_read_whatever_their_files_are_called(tmp_path: Path, multi_frame: bool) -> None:
    places = [(0, 0, 2 * k) for k in range(3)]
    for number, image in enumerate([multi_frame_ct(places)] if multi_frame else map(ct, places)):
        image.save_as(tmp_path / f"IM{number}", enforce_file_format=True)
    (tmp_path / "config.toml").write_text(ORGAN)
    config = load_config(tmp_path / "config.toml")
    files = list(run_to_files(config, Loaded(config, "organ"), tmp_path, tmp_path / "out"))
    made = [dcmread(path).Modality for path in files if path.suffix == ".dcm"]
    pictures = [path for path in files if path.suffix == ".png"]
    assert (set(made), len(pictures)) == ({"SEG", "OT", "SR"}, len(made) - 1)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("max_frame_megapixels = 0.001", "Rows x Columns are .* more than max_frame_megapixels = 0.001"),
        ("max_stack_megapixels = 0.001", "more than max_stack_megapixels = 0.001"),
        ("decode_timeout_s = 1e-9", "its stack's pixels were not read within decode_timeout_s = 1e-09"),
    ],
)
def test_the_nodes_limits_of_pixels_and_time_hold(chest: Path, tmp_path: Path, limit: str, said: str) -> None:
    (tmp_path / "config.toml").write_text(
        f"[pipelines.picture]\nuse = 'tests.support.stand_in:StandIn'\n[workers]\n{limit}\n"
    )
    loaded = load_from(load_config(tmp_path / "config.toml"), "picture")
    with pytest.raises(ObjectError, match=said):
        loaded.predict(chest)


def test_what_a_model_does_not_take_is_refused(tmp_path: Path) -> None:
    for number, image in enumerate(series(2)):
        (tmp_path / f"{number}.dcm").write_bytes(encoded(image))
    with pytest.raises(RefusalError):
        pipelines.load("lung_cxr").predict(tmp_path)
    with pytest.raises(ObjectError, match="no DICOM file here"):
        pipelines.load("lung_cxr").predict(tmp_path / "nowhere")
