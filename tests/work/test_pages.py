"""Pages on their way: made for each peer in its language, of gates and of refusals too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.catalog import Result, StackState
from dicom_node.demo.pacs import SmallPacs
from tests.support.dicom import radiograph, series
from tests.work.house import House

CONFIG = """
[storage]
max_study_age_days = 100000
[peers.pacs]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {port}
[peers.second]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {second}
page_language = "de"
[pipelines.lung]
outputs = ["SR", "PAGE", "PDF"]
[pipelines.contrast]
outputs = ["SR", "PAGE"]
[gates.contrast]
pipeline = "contrast"
send_to = ["pacs"]
when = {{ Modality = "CT" }}
[[routes]]
name = "lungs"
run = ["lung"]
send_to = ["pacs", "second"]
report_refusals = true
when = {{ Modality = "CR" }}
"""


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[tuple[SmallPacs, SmallPacs]]:
    with SmallPacs(tmp_path / "pacs") as pacs, SmallPacs(tmp_path / "second") as second:
        yield pacs, second


@pytest.fixture
def house(tmp_path: Path, peers: tuple[SmallPacs, SmallPacs]) -> House:
    return House(tmp_path, CONFIG.format(port=peers[0].port, second=peers[1].port))


def test_each_peer_gets_the_page_in_its_language_and_the_same_report(
    house: House, peers: tuple[SmallPacs, SmallPacs]
) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"))
    assert [stack.state for stack in house.settle()] == [StackState.DELIVERED]
    assert [said(one) for one in peers] == ["AI, research use, not for diagnosis", "KI, Forschung, nicht zur Diagnose"]
    assert [len(one.instances("DOC")) for one in peers] == [1, 1]
    assert len({path.stem for one in peers for path in one.instances("SR")}) == 1


def test_a_gates_answer_has_a_page_where_its_section_wants_one(house: House) -> None:
    house.put(*series(3))
    house.settle()
    assert sorted(result.kind for result in house.rows(Result)) == ["PAGE", "SR"]


def said(pacs: SmallPacs) -> str:
    """Return the first line of the one page that a peer has."""
    (path,) = pacs.instances("OT")
    return str(dcmread(path).ImageComments).partition("\r\n")[0]


def test_a_refused_run_has_a_page_that_says_why(house: House, peers: tuple[SmallPacs, SmallPacs]) -> None:
    house.models.refused = {"lung": "the lungs are cut off"}
    house.put(radiograph("1.2.1", "1.2.1.1"))
    house.settle()
    (path,) = peers[0].instances("OT")
    assert "Not analysed\r\nThe lungs are cut off" in dcmread(path).ImageComments
