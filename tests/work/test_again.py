"""What comes again: corrected, copied, as our own result, or as a whole archive."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import FileDataset, dcmread
from pydicom.uid import generate_uid

from dicom_node.catalog import Instance, Result, StackState, VersionState
from dicom_node.demo.pacs import SmallPacs
from dicom_node.status import send_round_again
from tests.support.dicom import encoded, radiograph
from tests.work.house import House
from tests.work.sending import SCANNER, arrive

CONFIG = """
[storage]
max_study_age_days = 100000
min_free_gb = 0
live_series_per_h = 2
series_quiet_s = 0.001
[peers.pacs]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {port}
retry_s = 1000
retry_max_s = 1000
[callers.pacs]
ae_title = "PACS"
addresses = "10.0.0.2"
corrects = true
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


@pytest.fixture
def house(tmp_path: Path, pacs: SmallPacs) -> House:
    return House(tmp_path, CONFIG.format(port=pacs.port))


def renumbered(image: FileDataset) -> FileDataset:
    again = copy.deepcopy(image)
    again.AccessionNumber = "A2"
    return again


def test_results_that_wait_carry_the_header_that_came_last_and_the_model_is_not_run_again(
    house: House, pacs: SmallPacs
) -> None:
    image = radiograph("1.2.1", "1.2.1.1")
    pacs.__exit__(None, None, None)
    house.put(image)
    house.settle_until(StackState.DELIVERING)
    (before,) = house.rows(Result)
    arrive(house, renumbered(image))
    house.settle(ticks=3)
    (after,) = house.rows(Result)
    made = dcmread(house.config.storage_folder / after.path)
    assert (after.uid, made.AccessionNumber) == (before.uid, "A2")
    assert house.models.ran == ["lung"]
    assert len(house.stacks()) == 1


def test_results_that_have_left_stay_as_they_are(house: House, pacs: SmallPacs) -> None:
    image = radiograph("1.2.1", "1.2.1.1")
    house.put(image)
    house.settle_until(StackState.DELIVERED)
    (sent,) = (path.read_bytes() for path in pacs.instances())
    arrive(house, renumbered(image))
    house.settle(ticks=3)
    assert [path.read_bytes() for path in pacs.instances()] == [sent]
    assert house.stacks()[0].state == StackState.DELIVERED


def test_another_picture_under_the_same_uid_changes_nothing(house: House) -> None:
    image = radiograph("1.2.1", "1.2.1.1")
    house.put(image)
    other = copy.deepcopy(image)
    other.PixelData = bytes(len(image.PixelData))
    arrive(house, other, sender=SCANNER)
    (row,) = (row for row in house.rows(Instance) if row.state == VersionState.CURRENT)
    assert (house.config.storage_folder / row.path).read_bytes() == encoded(image)


def test_a_copy_under_new_uids_is_not_run_and_names_its_twin_until_a_person_wants_it(house: House) -> None:
    image = radiograph("1.2.1", "1.2.1.1")
    house.put(image)
    (first,) = house.settle_until(StackState.DELIVERED)
    house.put(_renamed(image))
    _, twin = house.settle_until(StackState.DELIVERED, StackState.NOTHING)
    assert twin.reason == f"nothing to run, because it shows the same as stack {first.id[:8]}"
    send_round_again(house.catalog, twin.id, {}, force=True)
    house.settle_until(StackState.DELIVERED)
    assert house.models.ran == ["lung", "lung"]


@pytest.mark.parametrize("corrected", [{"StudyInstanceUID": "1.2.9"}, {"PatientID": "SYN-4712"}])
def test_the_same_pixels_under_another_patient_or_study_run_and_say_where_they_are_kept_too(
    house: House, corrected: dict[str, str]
) -> None:
    image = radiograph("1.2.1", "1.2.1.1")
    arrive(house, image)
    house.settle_until(StackState.DELIVERED)
    again = _renamed(image)
    for keyword, value in corrected.items():
        setattr(again, keyword, value)
    arrive(house, again)
    stacks = house.settle_until(StackState.DELIVERED)
    reasons = [stack.reason for stack in stacks]
    assert sorted(reasons) == ["lung to pacs", "lung to pacs; the same pixels are kept as study 1.2.1"]
    assert house.models.ran == ["lung", "lung"]


def test_our_own_picture_that_comes_back_under_another_name_is_stored_and_not_run(house: House) -> None:
    picture = radiograph("1.2.1", "1.2.1.1")
    house.owe(picture, "pacs")
    house.put(_renamed(picture))
    _, back = house.settle_until(StackState.DELIVERED, StackState.NOTHING)
    assert back.reason == "nothing to run, because our own result that came back"
    assert house.models.ran == []


def test_a_result_that_comes_back_with_its_name_on_it_is_stored_and_not_run(house: House, pacs: SmallPacs) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"))
    house.settle_until(StackState.DELIVERED)
    house.put(*(dcmread(path) for path in pacs.instances()))
    _, back = house.settle_until(StackState.DELIVERED, StackState.NOTHING)
    assert back.reason == "nothing to run, because our own result that came back"


def test_what_a_caller_sends_beyond_the_live_number_waits_behind_everything(house: House) -> None:
    house.put(*(radiograph(f"1.2.{number}", f"1.2.{number}.1") for number in range(1, 5)))
    stacks = house.settle_until(StackState.DELIVERED)
    assert sorted(stack.backlog for stack in stacks) == [False, False, True, True]


def test_results_of_a_lost_catalog_are_the_same_to_the_last_byte(house: House, pacs: SmallPacs, tmp_path: Path) -> None:
    image = radiograph("1.2.1", "1.2.1.1")
    house.put(image)
    house.settle_until(StackState.DELIVERED)
    (before,) = (path.read_bytes() for path in pacs.instances())
    house.catalog.close()
    for path in house.config.storage_folder.glob("catalog.sqlite*"):
        path.unlink()
    again = House(tmp_path, CONFIG.format(port=pacs.port))
    again.put(image)
    again.settle_until(StackState.DELIVERED)
    assert [path.read_bytes() for path in pacs.instances()] == [before]


def _renamed(image: FileDataset) -> FileDataset:
    again = copy.deepcopy(image)
    again.SeriesInstanceUID = "1.2.9.1"
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return again
