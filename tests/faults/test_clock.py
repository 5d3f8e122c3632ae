"""The node's clock jumps back by hours while something waits for a time to come."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Houses
from tests.faults.house import House
from tests.faults.sending import Modality
from tests.faults.verdict import judge
from tests.support.dicom import series

_BACK_S = -2 * 3600.0
_SOON_S = 60.0  # the quiet time and the delays are seconds; hours would be the fault


def _all_delivered(house: House, modality: Modality, before: int) -> None:
    house.wait(lambda: house.settled(before + len(modality.images)), _SOON_S, "the end, in the new time")
    house.move_clock(0.0)
    verdict = judge(house, modality)
    assert verdict.faults == 0, verdict


@pytest.mark.faults
def test_a_series_that_waits_for_silence_does_not_wait_for_the_old_time(houses: Houses) -> None:
    with houses.lent() as house:
        before = house.node.count()
        modality = Modality(house.port, series(6))
        modality.send_all(_SOON_S)
        house.wait(lambda: house.node.count() == before + 6, _SOON_S, "every row")
        house.move_clock(_BACK_S)
        _all_delivered(house, modality, before)


@pytest.mark.faults
def test_a_delivery_that_waits_for_its_next_attempt_does_not_wait_for_the_old_time(houses: Houses) -> None:
    with houses.lent() as house:
        before = house.node.count()
        modality = Modality(house.port, series(6))
        house.archive.set_mood("out of resources")
        modality.send_all(_SOON_S)
        house.wait(lambda: house.attempts("archive") > 0, _SOON_S, "an attempt in vain")
        house.move_clock(_BACK_S)
        house.archive.set_mood("well")
        _all_delivered(house, modality, before)
