"""A short form of `make fuzz`: a few dozen inputs of the kinds that pipelines are run on, at a whole node."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from dicom_node.demo.orthanc import Orthanc
from tests.faults.fuzz.kinds import NEW_KINDS
from tests.faults.fuzz.watch import Watch
from tests.faults.house import KEPT_HERE, House
from tests.faults.sending import CALLED

_EACH = 6


@pytest.fixture
def watch(tmp_path_factory: pytest.TempPathFactory, pacs: Orthanc) -> Iterator[Watch]:
    """A node that runs a pipeline on every image that it can read."""
    folder = tmp_path_factory.mktemp("house")
    with (
        House(folder, pacs, max_study_age_days=14, disk_mb=1024, gate="", routes=KEPT_HERE) as house,
        ThreadPoolExecutor(4) as attackers,
    ):
        yield Watch(house, attackers)


@pytest.mark.faults
def test_whatever_is_thrown_ends_no_process_and_gets_an_end_that_says_why(watch: Watch) -> None:
    watch.begin()
    random = Random(17)  # noqa: S311  # one for all kinds: no two inputs are of one SOP Instance
    for make in NEW_KINDS.values():
        for _ in range(_EACH):
            watch.throw(make(random, CALLED))
    watch.look()
    watch.house.wait(lambda: watch.house.settled(0), 300, "every series to end", every_s=0.5)
    watch.look()
    problems = list(watch.problems())
    assert not problems, "\n".join(problems)
    assert set(watch.ledger.thrown) == set(NEW_KINDS)
