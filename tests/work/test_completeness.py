"""When a series counts as complete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.catalog import Series, StackState
from tests.deliver.pacs import Pacs, archive
from tests.support.dicom import ct_slice
from tests.work.house import House

CONFIG = """
[storage]
max_study_age_days = 100000
complete_when = "{rule}"
complete_wait_s = 7200
[peers.source]
ae_title = "SCANNER"
host = "127.0.0.1"
port = {port}
"""


@pytest.fixture
def source() -> Iterator[Pacs]:
    with archive(Pacs(series_count=4), title="SCANNER", classes=[]) as pacs:
        yield pacs


def house_of(folder: Path, source: Pacs, rule: str) -> House:
    return House(folder, CONFIG.format(rule=rule, port=source.port))


def put(house: House, *numbers: int, expected: int | None = None, age_s: float = 3600.0) -> None:
    for number in numbers:
        one = ct_slice("1.2.1", "1.2.1.1", number)
        if expected:
            one.ImagesInAcquisition = expected
        house.put(one, age_s=age_s)


@pytest.mark.parametrize("rule", ["header", "source"])
def test_a_series_waits_until_as_many_instances_are_here_as_are_expected(
    tmp_path: Path, source: Pacs, rule: str
) -> None:
    house = house_of(tmp_path, source, rule)
    put(house, 1, 2, 3, expected=4 if rule == "header" else None)
    assert house.settle(ticks=6) == []
    put(house, 4)
    house.settle(ticks=6)
    (stack,) = house.stacks()
    assert (stack.state, len(stack.content["frames"])) == (StackState.NOTHING, 4)


def test_a_series_that_stays_short_is_held_and_says_how_short_until_the_rest_comes(
    tmp_path: Path, source: Pacs
) -> None:
    house = house_of(tmp_path, source, "source")
    put(house, 1, 2, 3, age_s=10000)
    house.settle(ticks=6)
    (stack,) = house.stacks()
    assert (stack.state, stack.reason) == (StackState.HELD, "3 of 4 expected instances came")
    put(house, 4)
    short, whole = house.settle(ticks=6)
    assert (short.state, len(whole.content["frames"])) == (StackState.NOTHING, 4)


def test_where_nobody_says_how_many_silence_decides(tmp_path: Path, source: Pacs) -> None:
    house = house_of(tmp_path, source, "header")
    put(house, 1, 2, 3)
    assert len(house.settle(ticks=6)) == 1
    assert house.rows(Series)[0].expected == 0
