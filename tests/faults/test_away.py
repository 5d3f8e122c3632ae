"""A whole day's series while the PACS is down: when it is back, all results arrive by priority, and nobody helps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from dicom_node.catalog import Delivery, Result, Run, Stack, StackState
from dicom_node.demo.orthanc import Orthanc
from tests.faults.house import ROUTE, House
from tests.faults.sending import Modality
from tests.faults.verdict import judge
from tests.support.dicom import series

_SERIES, _IMAGES = 50, 2
_RESULTS = 3  # of a series: the gate's SR, the marker's SEG and SR
_PRIORITIES = {"whenever": 9, "plain": 5, "urgent": 1}  # by SeriesDescription
_ROUTES = "".join(
    ROUTE.replace('"mark"', f'"{word}"').replace("= { ", f'= {{ SeriesDescription = "{word}", ')
    + f"priority = {priority}\n"
    for word, priority in _PRIORITIES.items()
)


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory, pacs: Orthanc) -> Iterator[House]:
    """A node that knows urgent series, and such as can wait; a peer that is away is tried every second."""
    with House(tmp_path_factory.mktemp("house"), pacs, routes=_ROUTES) as running:
        yield running


def _day(house: House) -> list[Modality]:
    """Return what is sent, the urgent in the midst of the rest."""
    words, sent = list(_PRIORITIES), []
    for number in range(_SERIES):
        images = series(_IMAGES)
        for image in images:
            image.SeriesDescription = words[number % len(words)]
        sent.append(Modality(house.port, images))
    return sent


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_day_without_the_pacs_ends_with_everything_there_in_order_of_priority(house: House) -> None:
    house.archive.set_mood("down")
    modalities = _day(house)
    for modality in modalities:
        modality.send_all(60)
    wanted = _SERIES * _RESULTS
    house.wait(lambda: len(_waiting(house)) == wanted, 600, "all results to wait for the archive", every_s=1.0)
    assert not house.archive.order
    house.archive.set_mood("well")
    house.wait(lambda: house.settled(_SERIES * _IMAGES), 300, "every series to end", every_s=0.5)

    priorities = _priorities(house)
    arrived = [priorities[uid] for uid in house.archive.order]
    assert len(arrived) == wanted
    assert arrived == sorted(arrived)
    assert set(arrived) == set(_PRIORITIES.values())
    for modality in modalities:
        verdict = judge(house, modality)
        assert verdict.faults == 0, verdict
        assert all(end.startswith(StackState.DELIVERED) for end in verdict.ends), verdict


def _waiting(house: House) -> list[str]:
    query = select(Delivery.result_uid).where(Delivery.peer == "archive", Delivery.state == "waiting")
    with house.node.catalog.read() as session:
        return list(session.scalars(query).all())


def _priorities(house: House) -> dict[str, int]:
    """Return the priority of each result's stack."""
    query = select(Result.uid, Stack.priority).join(Run, Result.run_id == Run.id).join(Stack, Run.stack_id == Stack.id)
    with house.node.catalog.read() as session:
        return {uid: priority for uid, priority in session.execute(query).all()}  # noqa: C416  # rows are no pairs
