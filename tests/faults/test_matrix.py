"""The kill matrix: each fault at each step, judged by what the disk, the catalog and two archives hold in the end."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from dicom_node.catalog import StackState
from tests.faults.conftest import Houses
from tests.faults.house import House
from tests.faults.matrix import Cell, cells
from tests.faults.report import Report
from tests.faults.sending import Modality
from tests.faults.steps import STEPS
from tests.faults.strikes import STRIKES
from tests.faults.verdict import Verdict, judge
from tests.support.dicom import series

_IMAGES = 12
_SENT_S, _SETTLED_S = 120.0, 180.0


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("cell", list(cells()), ids=lambda cell: f"{cell.step}: {cell.fault}")
def test_nothing_is_lost_doubled_or_stuck(cell: Cell, houses: Houses, report: Report) -> None:
    with houses.lent() as house:
        modality = Modality(house.port, series(_IMAGES, shape=(64, 64)))
        verdict = _run(cell, house, modality)
        report.add(cell, verdict)
        assert verdict.faults == 0, verdict
        assert verdict.acknowledged == _IMAGES
        assert any(end.startswith(StackState.DELIVERED) for end in verdict.ends), verdict


def _run(cell: Cell, house: House, modality: Modality) -> Verdict:
    before = house.node.count()
    with ExitStack() as fault, STEPS[cell.step](house, modality):
        fault.enter_context(STRIKES[cell.fault](house, modality))
    modality.send_all(_SENT_S)
    house.wait(lambda: house.settled(before + _IMAGES), _SETTLED_S, "every series to end")
    house.move_clock(0.0)
    return judge(house, modality)
