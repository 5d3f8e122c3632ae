"""PostgreSQL and two work processes, of which one is killed for good: the other takes over what it had begun."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dicom_node.catalog import StackState
from dicom_node.demo.orthanc import Orthanc
from tests.faults.house import House
from tests.faults.sending import Modality
from tests.faults.verdict import judge
from tests.support.dicom import series
from tests.support.postgres import Postgres

_IMAGES, _SERIES = 6, 4


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory, pacs: Orthanc, postgres: Postgres) -> Iterator[House]:
    """A node on PostgreSQL with a further work process."""
    with House(tmp_path_factory.mktemp("house"), pacs, postgres.urls) as running:
        running.start_further_worker()
        yield running


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_work_process_killed_for_good_leaves_nothing_behind(house: House) -> None:
    house.hold("inferring")
    modalities = [Modality(house.port, series(_IMAGES)) for _ in range(_SERIES)]
    for modality in modalities:
        modality.send_all(60)
    house.wait(lambda: house.models_busy() == 2, 120, "both work processes to infer")
    house.end_further_worker()
    house.release()
    house.wait(lambda: house.settled(_SERIES * _IMAGES), 180, "every series to end")
    for modality in modalities:
        verdict = judge(house, modality)
        assert verdict.faults == 0, verdict
        assert all(end.startswith(StackState.DELIVERED) for end in verdict.ends), verdict
