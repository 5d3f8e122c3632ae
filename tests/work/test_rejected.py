"""Rejection notes that come in, and what they name (IHE RAD TF-1, IOCM)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.catalog import Delivery, DeliveryState, Instance, StackState, VersionState
from dicom_node.conflicts import keep
from tests.deliver.pacs import archive
from tests.support.rejections import rejection_note
from tests.work.house import House
from tests.work.moving_pacs import MovingPacs
from tests.work.sending import SCANNER, STRANGER, arrive, register
from tests.work.test_recalled import house_with, removed
from tests.work.test_versions import image, rebuilt_from

REJECTED, CURRENT, HELD = VersionState.REJECTED, VersionState.CURRENT, VersionState.HELD


@pytest.fixture
def pacs() -> Iterator[MovingPacs]:
    pacs = MovingPacs()
    with archive(pacs):
        yield pacs


def states(house: House) -> dict[str, VersionState]:
    return {"note" if "88.59" in row.sop_class_uid else "image": row.state for row in house.rows(Instance)}


@pytest.mark.parametrize("code", ["113001", "113037", "113038", "113039"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_note_of_who_may_correct_rejects_what_it_names_whenever_that_comes(
    tmp_path: Path, pacs: MovingPacs, code: str, *, is_first: bool
) -> None:
    house = house_with(tmp_path, pacs)
    for one in (rejection_note(code, [image()]), image()) if is_first else (image(), rejection_note(code, [image()])):
        arrive(house, one)
    assert states(house) == {"note": CURRENT, "image": REJECTED}
    again = rebuilt_from(house, lambda: house_with(tmp_path, pacs))
    assert states(again) == {"note": CURRENT, "image": REJECTED}


@pytest.mark.parametrize(("code", "ends"), [("113037", DeliveryState.WITHDRAWN), ("113039", DeliveryState.STORED)])
def test_results_of_rejected_images_are_withdrawn_unless_only_the_images_go(
    tmp_path: Path, pacs: MovingPacs, code: str, ends: DeliveryState
) -> None:
    house = house_with(tmp_path, pacs)
    arrive(house, image(), sender=SCANNER)
    house.settle_until(StackState.DELIVERED)
    (result,) = (row.result_uid for row in house.rows(Delivery))
    arrive(house, rejection_note(code, [image()]))
    house.settle()
    assert [row.state for row in house.rows(Delivery) if row.result_uid == result] == [ends]
    stack = next(stack for stack in house.stacks() if stack.corrected)
    assert stack.reason == f"nothing to run, because rejected (DCM {code}) by pacs"


def test_a_note_withdraws_results_of_images_that_retention_has_removed(tmp_path: Path, pacs: MovingPacs) -> None:
    house, result = removed(tmp_path, pacs)
    arrive(house, rejection_note("113037", [image()]))
    house.settle()
    assert [row.state for row in house.rows(Delivery) if row.result_uid == result] == [DeliveryState.WITHDRAWN]


def test_a_strangers_note_is_held_until_a_person_keeps_it(tmp_path: Path, pacs: MovingPacs) -> None:
    house = house_with(tmp_path, pacs)
    arrive(house, image(), sender=SCANNER)
    arrive(house, rejection_note("113001", [image()]), sender=STRANGER)
    assert states(house) == {"note": HELD, "image": CURRENT}
    held = next(row for row in house.rows(Instance) if row.state == HELD)
    assert held.reason == "a rejection note of STRANGER, who may not correct what it names"
    keep(house.config, house.catalog, held.sha256)
    register(house)
    assert states(house) == {"note": CURRENT, "image": REJECTED}
