"""What is removed, and what a check of the files finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.catalog import Delivery, DeliveryState, Instance, Result, Run, StackState
from dicom_node.demo.pacs import SmallPacs
from dicom_node.verify import verify
from dicom_node.work.retention import Retention
from tests.support.dicom import PATIENT_ID, ct_slice, radiograph
from tests.work.house import House
from tests.work.sending import arrive

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
    (heading,) = (dcmread(path) for path in (house.config.storage_folder / "runs").rglob("*.dcm"))
    assert (heading.PatientID, "PixelData" in heading) == (PATIENT_ID, False)
    assert [row.removed_at > 0 for row in house.rows(Instance)] == [True, True]
    assert len(house.rows(Run)) == len(house.rows(Result)) == 1
    assert problems(house) == []


@pytest.mark.parametrize("state", [DeliveryState.WAITING, DeliveryState.FAILED])
def test_a_series_whose_results_are_not_all_out_stays(tmp_path: Path, pacs: SmallPacs, state: DeliveryState) -> None:
    house = furnished(tmp_path, pacs)
    with house.catalog.write() as session:
        session.merge(house.rows(Delivery)[0]).state = state
    assert Retention(house.config, house.catalog).tidy() == 1
    assert [row.series_uid for row in house.rows(Instance) if not row.removed_at] == ["1.2.1.1"]


def test_nothing_is_removed_by_default(tmp_path: Path, pacs: SmallPacs) -> None:
    house = furnished(tmp_path, pacs, keep="")
    assert Retention(house.config, house.catalog).tidy() == 0


def test_a_removed_series_that_comes_again_makes_nothing_twice(tmp_path: Path, pacs: SmallPacs) -> None:
    house = House(tmp_path, CONFIG.format(port=pacs.port, keep="keep_days = 0\nseries_quiet_s = 0.001"))
    images = [ct_slice("1.2.1", "1.2.1.2"), radiograph("1.2.1", "1.2.1.1"), radiograph("1.2.1", "1.2.1.1")]
    arrive(house, *images)
    house.settle_until(StackState.DELIVERED, StackState.NOTHING)
    Retention(house.config, house.catalog).tidy()
    arrive(house, *images[:2])
    house.settle(ticks=4)
    assert house.models.ran == ["lung"]  # the second radiograph shows the same
    assert len(house.stacks()) == 3
    assert [row.removed_at > 0 for row in sorted(house.rows(Instance), key=lambda row: row.at)] == [False, False, True]
    assert problems(house) == []


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
