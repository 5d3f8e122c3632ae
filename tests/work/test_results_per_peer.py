from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import FileDataset, dcmread

from dicom_node.catalog import Delivery, Result, Series, StackState
from dicom_node.demo.pacs import SmallPacs
from dicom_node.results.seg import LABEL_MAP_STORAGE
from tests.support.dicom import ct_slice, radiograph, series
from tests.work.house import House

CONFIG = """
[storage]
regeneration_s = 300
max_study_age_days = 100000
[peers.pacs]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {port}
[peers.second]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {port}
[peers.viewer]
ae_title = "SMALLPACS"
host = "127.0.0.1"
port = {viewer}
seg_type = "LABELMAP"
sr_class = "comprehensive"
reject_replaced = "quality"
[pipelines.lung]
outputs = ["SEG", "SR"]
[[routes]]
name = "lungs"
run = ["lung"]
send_to = ["pacs", "second", "viewer"]
when = {{ Modality = ["CR", "CT"] }}
"""


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[tuple[SmallPacs, SmallPacs]]:
    with SmallPacs(tmp_path / "pacs") as pacs, SmallPacs(tmp_path / "viewer") as viewer:
        yield pacs, viewer


@pytest.fixture
def house(tmp_path: Path, peers: tuple[SmallPacs, SmallPacs]) -> House:
    return House(tmp_path, CONFIG.format(port=peers[0].port, viewer=peers[1].port))


def test_each_peer_gets_results_encoded_as_it_wants_them(house: House, peers: tuple[SmallPacs, SmallPacs]) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"))
    assert [stack.state for stack in house.settle()] == [StackState.DELIVERED]
    classes = [sorted(dcmread(path).SOPClassUID.name for path in one.instances()) for one in peers]
    assert classes == [
        ["Comprehensive 3D SR Storage", "Segmentation Storage"],
        [LABEL_MAP_STORAGE.name, "Comprehensive SR Storage"],
    ]


def test_peers_that_want_the_same_share_one_object(house: House, peers: tuple[SmallPacs, SmallPacs]) -> None:
    house.put(radiograph("1.2.1", "1.2.1.1"))
    house.settle()
    assert len(peers[0].instances()) == 2
    assert len(house.rows(Result)) == 4
    assert len(house.rows(Delivery)) == 6


def test_a_later_generation_names_and_hides_what_it_replaces(house: House, peers: tuple[SmallPacs, SmallPacs]) -> None:
    house.put(*series(3))
    house.settle()
    before = [_read(one) for one in peers]
    row = house.rows(Series)[0]
    house.put(ct_slice(row.study_uid, row.uid, 4), age_s=4000.0)
    with house.catalog.write() as session:
        session.get_one(Series, (row.study_uid, row.uid)).last_at -= 4000
    house.settle()
    for peer, old in zip(peers, before, strict=True):
        new = {uid: one for uid, one in _read(peer).items() if uid not in old}
        (report,) = [one for one in new.values() if one.Modality == "SR"]
        assert _predecessor(report) in {uid for uid, one in old.items() if one.Modality == "SR"}
        assert {one.SeriesInstanceUID for one in new.values()}.isdisjoint(one.SeriesInstanceUID for one in old.values())
    notes = [[one for one in _read(peer).values() if one.Modality == "KO"] for peer in peers]
    assert [len(of_peer) for of_peer in notes] == [0, 1]
    assert _hidden(notes[1][0]) == set(before[1])


def _read(pacs: SmallPacs) -> dict[str, FileDataset]:
    return {path.stem: dcmread(path) for path in pacs.instances()}


def _predecessor(report: FileDataset) -> str:
    series_item = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    return str(series_item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _hidden(note: FileDataset) -> set[str]:
    items = [item for item in note.ContentSequence if item.ValueType in {"IMAGE", "COMPOSITE"}]
    return {str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for item in items}
