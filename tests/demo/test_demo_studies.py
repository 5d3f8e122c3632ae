from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from dicom_node.demo import headers
from dicom_node.demo.phantom import ARTERIAL, PLAIN, chest_hu
from dicom_node.demo.studies import ct_grid, ct_series, ct_volume, write_studies
from tests.support.validity import PROGRAMS

DAY = datetime.date(2026, 1, 2)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_studies(tmp_path_factory.mktemp("studies"), day=DAY)


@pytest.fixture(scope="session")
def objects(written: list[Path]) -> list[Dataset]:
    return [dcmread(path) for path in written]


def series(objects: list[Dataset], modality: str, number: int) -> list[Dataset]:
    return [one for one in objects if (one.Modality, one.SeriesNumber) == (modality, number)]


def hu(images: list[Dataset]) -> NDArray[np.float64]:
    return np.stack([image.pixel_array * image.RescaleSlope + image.RescaleIntercept for image in images])


def vessels() -> NDArray[np.bool_]:
    """Where iodine makes a difference of more than 100 HU, from the head down as the series runs."""
    plain, enhanced = (chest_hu(ct_grid(), iodine, seed=1) for iodine in (PLAIN, ARTERIAL))
    return np.asarray((enhanced - plain > 100)[::-1])


def test_every_object_is_once_there_under_its_own_uid(objects: list[Dataset]) -> None:
    assert len({one.SOPInstanceUID for one in objects}) == len(objects) == 1 + 48 + 48 + 1 + 1
    assert len({one.SeriesInstanceUID for one in objects}) == 5
    assert len({one.StudyInstanceUID for one in objects}) == 2


def test_the_patient_is_plainly_made_up(objects: list[Dataset]) -> None:
    assert {str(one.PatientName) for one in objects} == {"DEMO^CHEST"}


@pytest.mark.parametrize("number", [2, 3])
def test_slices_form_one_regular_grid(objects: list[Dataset], number: int) -> None:
    images = series(objects, "CT", number)
    positions = np.array([image.ImagePositionPatient for image in images], float)
    assert np.allclose(np.diff(positions, axis=0), (0, 0, -5))
    assert len({image.FrameOfReferenceUID for image in images}) == 1
    assert {tuple(image.ImageOrientationPatient) for image in images} == {(1, 0, 0, 0, 1, 0)}


@pytest.mark.parametrize("number", [2, 3])
def test_the_scan_holds_air_lung_tissue_and_bone(objects: list[Dataset], number: int) -> None:
    values = hu(series(objects, "CT", number))
    assert -1024 <= values.min() < -950
    assert 500 < values.max() < 1500
    for low, high in ((-900, -800), (-120, -70), (30, 70)):
        assert ((values > low) & (values < high)).mean() > 0.02


def test_only_the_enhanced_series_has_iodine_in_its_vessels(objects: list[Dataset]) -> None:
    inside = vessels()
    plain, enhanced = (np.median(hu(series(objects, "CT", number))[inside]) for number in (2, 3))
    assert 30 < plain < 60
    assert 200 < enhanced < 350


def test_only_the_enhanced_series_claims_contrast(objects: list[Dataset]) -> None:
    claims = {image.SeriesNumber for image in objects if "ContrastBolusAgent" in image}
    assert claims == {3}


def test_the_radiograph_has_dark_lungs_a_bright_heart_and_a_mark_at_the_left(objects: list[Dataset]) -> None:
    [image] = series(objects, "DX", 1)
    pixels = image.pixel_array
    right_lung, left_lung, heart = pixels[400:500, 250:350], pixels[400:500, 680:780], pixels[520:600, 520:640]
    assert max(right_lung.mean(), left_lung.mean()) < 0.6 * heart.mean()
    assert (pixels[60:160, 880:980] == 4095).sum() > 100
    assert (image.PatientOrientation, image.ViewPosition) == (["L", "F"], "PA")


def test_the_same_name_and_day_give_the_same_images() -> None:
    study = headers.Study("again", DAY, "CT")
    first, second = (ct_series(study, enhanced=True) for _ in range(2))
    assert first == second


def test_another_day_gives_other_uids() -> None:
    one, other = (headers.Study("demo", day, "") for day in (DAY, DAY + datetime.timedelta(days=1)))
    assert one.uid("study") != other.uid("study")


def test_noise_is_that_of_a_scanner() -> None:
    in_liver = chest_hu(ct_grid(), PLAIN, seed=1) == PLAIN.liver
    low, high = np.percentile(ct_volume(enhanced=False)[in_liver], (25, 75))  # its edge is blurred with fat
    assert 8 < (high - low) / 1.35 < 20


def complaints(path: Path) -> list[str]:
    said = subprocess.run(
        [PROGRAMS / "dciodvfy", "-new", path], capture_output=True, text=True, check=False, timeout=60
    )
    return [line for line in said.stderr.splitlines() if line.startswith(("Error", "Warning"))]


def test_dciodvfy_finds_no_error(written: list[Path]) -> None:
    firsts = [path for path in written if path.name == "0001.dcm"]
    assert [line for path in firsts for line in complaints(path)] == []
