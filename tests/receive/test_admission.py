from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_node.callers import Callers
from dicom_node.config import Config
from dicom_node.receive.admission import Admission, NoRoomError
from dicom_node.receive.association_table import AssociationTable
from dicom_node.receive.services import Caller

ROUTER = {"router": {"ae_title": "*", "addresses": "10.0.0.1", "max_associations": 3, "reserved_associations": 2}}
Enter = Callable[[str, str], int]


class Node:
    """Two receivers of one node."""

    def __init__(self, callers: dict[str, dict[str, object]], **limits: int) -> None:
        config = Config.model_validate({"folder": Path("/nowhere"), "node": limits, "callers": callers})
        self.table = AssociationTable(config.node.max_associations)
        tables = self.table, AssociationTable(config.node.max_associations, os.dup(self.table.fileno()))
        self._receivers = [Admission(config.node, Callers(config), table) for table in tables]

    def enter(self, ae_title: str, address: str) -> int:
        self._receivers.reverse()  # each takes its turn
        return self._receivers[0].enter(Caller(ae_title, "NODE", address, "", "1"))

    def leave(self, place: int) -> None:
        self._receivers[0].leave(place)

    def get_on(self, place: int, stood_still_s: float = 0.0, received: int = 0) -> None:
        self.table.set_progress(place, time.monotonic() - stood_still_s if stood_still_s else 0.0, received)


@pytest.mark.parametrize(
    ("limits", "callers", "said"),
    [
        ({"max_associations": 3}, [(f"CT{number}", f"10.1.1.{number}") for number in range(4)], "in all"),
        ({"max_associations_per_caller": 3}, [("CT", f"10.1.1.{number}") for number in range(4)], "of this AE title"),
        (
            {"max_associations_per_address": 3},
            [(f"CT{number}", "10.1.1.1") for number in range(4)],
            "from this address",
        ),
    ],
)
def test_a_limit_holds_over_all_receivers_until_one_leaves(
    limits: dict[str, int], callers: list[tuple[str, str]], said: str
) -> None:
    node = Node({}, **limits)
    first, *_ = [node.enter(*caller) for caller in callers[:3]]
    with pytest.raises(NoRoomError, match=f"3 associations {said} are open"):
        node.enter(*callers[3])
    node.leave(first)
    node.enter(*callers[3])


def test_the_slowest_that_stands_still_gives_way_to_a_newcomer() -> None:
    node = Node({}, max_associations=3)
    busy, slow, slowest = (node.enter(f"CT{number}", f"10.1.1.{number}") for number in range(3))
    node.get_on(busy, received=5)
    node.get_on(slow, stood_still_s=60, received=2_000_000)
    node.get_on(slowest, stood_still_s=10, received=200)
    node.enter("MR", "10.1.1.9")
    assert [node.table.is_cut(place) for place in (busy, slow, slowest)] == [False, False, True]


def test_who_has_only_just_come_to_a_halt_does_not_give_way() -> None:
    node = Node({}, max_associations=1)
    node.get_on(node.enter("CT", "10.1.1.1"), stood_still_s=1)
    with pytest.raises(NoRoomError):
        node.enter("MR", "10.1.1.9")


def test_an_address_with_more_places_than_the_newcomers_gives_way_as_soon_as_it_stands_still() -> None:
    node = Node({}, max_associations=4)
    single = node.enter("CT", "10.1.1.1")
    many = [node.enter(f"X{number}", "10.1.1.2") for number in range(3)]
    for place in (single, *many):
        node.get_on(place, stood_still_s=1)
    with pytest.raises(NoRoomError):
        node.enter("X3", "10.1.1.2")
    node.enter("MR", "10.1.1.3")
    assert [node.table.is_cut(place) for place in (single, *many)].count(True) == 1
    assert not node.table.is_cut(single)


def test_a_named_caller_finds_its_places_kept_and_never_gives_way() -> None:
    node = Node(ROUTER, max_associations=4, max_associations_per_address=1)
    strangers = [node.enter(f"CT{number}", f"10.1.1.{number}") for number in range(2)]
    with pytest.raises(NoRoomError, match="2 associations in all are open"):
        node.enter("CT2", "10.1.1.2")
    named = [node.enter(title, "10.0.0.1") for title in ("CT1", "MR1")]
    for place in named:
        node.get_on(place, stood_still_s=100)
    with pytest.raises(NoRoomError, match="4 associations in all are open"):
        node.enter("CT2", "10.1.1.2")
    node.get_on(strangers[0], stood_still_s=10)
    third = node.enter("US1", "10.0.0.1")
    with pytest.raises(NoRoomError, match="3 associations of this named caller are open"):
        node.enter("US2", "10.0.0.1")
    assert [node.table.is_cut(place) for place in (*strangers, *named, third)] == [True, False, False, False, False]


def test_the_places_of_a_dead_receiver_are_free_again() -> None:
    node = Node({}, max_associations=1)
    node.enter("CT", "10.1.1.1")
    node.table.forget_process(os.getpid())
    node.enter("MR", "10.1.1.2")
