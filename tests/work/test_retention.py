"""What is removed, and what a check of the files finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.catalog import Delivery, DeliveryState, Instance, Result, Run, StackState
from dicom_node.demo.pacs import SmallPacs
from dicom_node.verify import verify
from dicom_node.work.retention import Retention
from tests.support.dicom import ct_slice, radiograph
from tests.work.house import House

CONFIG = """
[storage]
max_study_age_days = 100000
{keep}
[peers.pacs]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {port}
[pipelines.lung]
outputs = ["SEG"]
[[routes]]
name = "lungs"
run = ["lung"]
send_to = ["pacs"]
when = {{ Modality = "CR" }}
"""


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[SmallPacs]:
    with SmallPacs(tmp_path / "pacs") as running:
        yield running


def furnished(folder: Path, pacs: SmallPacs, keep: str = "keep_days = 0") -> House:
    house = House(folder, CONFIG.format(port=pacs.port, keep=keep))
    house.put(radiograph("1.2.1", "1.2.1.1"), ct_slice("1.2.1", "1.2.1.2"))
    house.settle_until(StackState.DELIVERED, StackState.NOTHING)
    return house


def problems(house: House) -> list[str]:
    return [one.problem for one in verify(house.config, house.catalog, quick=False) if one.problem]


@pytest.mark.parametrize("keep", ["keep_days = 0", "keep_free_gb = 1e9"])
def test_finished_series_go_by_age_or_space_and_what_happened_stays_known(
    tmp_path: Path, pacs: SmallPacs, keep: str
) -> None:
    house = furnished(tmp_path, pacs, keep)
    assert Retention(house.config, house.catalog).tidy() == 2
    assert not list((house.config.storage_folder / "storage").iterdir())
    assert not list((house.config.storage_folder / "runs").iterdir())
    assert not house.rows(Instance)
    assert len(house.rows(Run)) == len(house.rows(Result)) == 1
    assert problems(house) == []


@pytest.mark.parametrize("state", [DeliveryState.WAITING, DeliveryState.FAILED])
def test_a_series_whose_results_are_not_all_out_stays(tmp_path: Path, pacs: SmallPacs, state: DeliveryState) -> None:
    house = furnished(tmp_path, pacs)
    with house.catalog.write() as session:
        session.merge(house.rows(Delivery)[0]).state = state
    assert Retention(house.config, house.catalog).tidy() == 1
    assert [row.series_uid for row in house.rows(Instance)] == ["1.2.1.1"]


def test_nothing_is_removed_by_default(tmp_path: Path, pacs: SmallPacs) -> None:
    house = furnished(tmp_path, pacs, keep="")
    assert Retention(house.config, house.catalog).tidy() == 0


def test_a_removed_series_that_comes_again_makes_nothing_twice(tmp_path: Path, pacs: SmallPacs) -> None:
    house = furnished(tmp_path, pacs, keep="keep_days = 0")
    Retention(house.config, house.catalog).tidy()
    image = radiograph("1.2.1", "1.2.1.1")
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = house.stacks()[0].content["frames"][0][
        "sop_instance_uid"
    ]
    house.put(image)
    house.settle(ticks=4)
    assert house.models.ran == ["lung"]
    assert len(house.stacks()) == 2


def test_verify_finds_what_is_missing_altered_and_unknown(tmp_path: Path, pacs: SmallPacs) -> None:
    house = furnished(tmp_path, pacs, keep="")
    assert problems(house) == []
    first, second = sorted((house.config.storage_folder / "storage").rglob("*.dcm"))
    (result,) = (house.config.storage_folder / "runs").rglob("*.dcm")
    first.rename(first.with_name("1.2.3.dcm"))
    second.write_bytes(bytes(second.stat().st_size))
    result.unlink()
    assert sorted(problems(house)) == [
        "holds other bytes than it did",
        "is missing",
        "is missing",
        "is not in the catalog; the next start registers it",
    ]
