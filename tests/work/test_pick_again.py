"""Where the best stack of a study is refused, the next best runs: once, and both say why."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import FileDataset

from dicom_node.catalog import Result, Run, RunState, StackState
from dicom_node.work.picking import Picking
from tests.support.dicom import ct_slice
from tests.work.house import House

CONFIG = """
[storage]
max_study_age_days = 100000
study_quiet_s = {study_quiet_s}
[workers]
max_attempts = 1
[pipelines.liver]
[pipelines.fat]
[[routes]]
name = "livers"
run = ["liver"]
pick = "best"
when = {{ Modality = "CT" }}
[[routes]]
name = "fats"
run = ["fat"]
when = {{ Modality = "CT", ConvolutionKernel = "SHARP" }}
"""
GAP = "1.2.3: 1 slice(s) missing before it"
FIRST, SECOND, THIRD = "1.2.1.1", "1.2.1.2", "1.2.1.3"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, CONFIG.format(study_quiet_s=0.001))


def scan(series_uid: str, slices: int = 4) -> list[FileDataset]:
    """Return a series of the one study; the longer it is the better."""
    images = [ct_slice("1.2.1", series_uid, number) for number in range(1, slices + 1)]
    for one in images:
        one.SeriesNumber, one.SeriesDescription = int(series_uid[-1]), "abdomen"
    return images


def livers(house: House) -> list[str]:
    """Return the series whose liver was delivered."""
    of_stack = {stack.id: stack.series_uid for stack in house.stacks()}
    return [of_stack[run.stack_id] for run in house.rows(Run) if (run.pipeline, run.state) == ("liver", RunState.DONE)]


def test_the_next_best_runs_once_the_best_is_refused_and_both_say_so(house: House) -> None:
    house.models.refused = {FIRST: GAP}
    house.put(*scan(FIRST, 6), *scan(SECOND, 5), *scan(THIRD))
    first, second, third = house.settle()
    assert (first.state, second.state, third.state) == (
        StackState.REFUSED,
        StackState.DELIVERED,
        StackState.NOTHING,
    )
    because = f"series 1 (abdomen) was chosen first, refused because liver: {GAP}"
    assert first.reason == f"liver: {GAP}; series 2 (abdomen) was chosen next"
    assert second.reason.endswith(because)
    assert third.reason == f"nothing to run, livers: not run, because series 2 (abdomen) was chosen; {because}"
    assert livers(house) == [SECOND]


def test_every_stack_gets_its_turn_until_one_runs(house: House) -> None:
    house.models.refused = {FIRST: GAP, SECOND: "its pixel data cannot be decoded"}
    house.put(*scan(FIRST, 6), *scan(SECOND, 5), *scan(THIRD))
    _, second, third = house.settle(ticks=16)
    assert livers(house) == [THIRD]
    assert "series 3 (abdomen) was chosen next" in second.reason
    assert third.reason.count("was chosen first, refused because") == 2


def test_a_study_all_of_whose_stacks_are_refused_ends_so(house: House) -> None:
    house.models.refused = {FIRST: GAP, SECOND: GAP}
    house.put(*scan(FIRST, 6), *scan(SECOND))
    assert {stack.state for stack in house.settle(ticks=16)} == {StackState.REFUSED}
    assert house.models.ran.count("liver") == 2


def test_what_has_run_for_another_route_runs_for_this_one_alone(house: House) -> None:
    house.models.refused = {FIRST: GAP}
    second = scan(SECOND)
    for one in second:
        one.ConvolutionKernel = "SHARP"
    house.put(*scan(FIRST, 6), *second)
    _, stack = house.settle(ticks=16)
    assert stack.state == StackState.DELIVERED
    assert (house.models.ran.count("fat"), livers(house)) == (1, [SECOND])


def test_a_choice_made_twice_is_one_choice(house: House) -> None:
    house.models.refused = {FIRST: GAP}
    house.put(*scan(FIRST, 6), *scan(SECOND, 5), *scan(THIRD))
    while not any(stack.state == StackState.REFUSED for stack in house.settle(ticks=1)):
        pass
    refused = house.stacks()[0]
    for _ in range(2):  # as after a kill behind the step, before and after the next choice
        with house.catalog.write() as session:
            Picking(house.config).choose_again(session, session.merge(refused))
        house.settle()
    assert livers(house) == [SECOND]
    assert len({result.run_id for result in house.rows(Result)}) == 1
