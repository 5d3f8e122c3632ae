from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when the module is loaded

from dicom_node.demo import headers
from dicom_node.demo.pacs import SmallPacs
from dicom_node.demo.studies import report

STUDY = headers.Study("pacs", datetime.date(2026, 1, 2), "")


def call(pacs: SmallPacs) -> Association:
    caller = AE("CALLER")
    caller.add_requested_context(Verification)
    caller.add_requested_context(headers.SOP_CLASSES["SR"], ExplicitVRLittleEndian)
    association = caller.associate(pacs.host, pacs.port, ae_title=pacs.ae_title)
    assert association.is_established
    return association


def test_stores_what_is_sent(tmp_path: Path) -> None:
    [sent] = report(STUDY)
    with SmallPacs(tmp_path) as pacs:
        association = call(pacs)
        assert association.send_c_store(sent).Status == 0x0000
        association.release()
        [path] = pacs.instances("SR")
    assert path == pacs.path(sent.SOPInstanceUID)
    assert dcmread(path) == sent


def test_an_object_sent_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    [sent] = report(STUDY)
    with SmallPacs(tmp_path) as pacs:
        association = call(pacs)
        for title in ("first", "second"):
            sent.SeriesDescription = title
            association.send_c_store(sent)
        association.release()
        assert [dcmread(path).SeriesDescription for path in pacs.instances()] == ["second"]


def test_answers_an_echo(tmp_path: Path) -> None:
    with SmallPacs(tmp_path) as pacs:
        association = call(pacs)
        assert association.send_c_echo().Status == 0x0000
        association.release()


@pytest.mark.parametrize("modality", ["CT", "SEG"])
def test_lists_one_modality_only(tmp_path: Path, modality: str) -> None:
    [sent] = report(STUDY)
    with SmallPacs(tmp_path) as pacs:
        sent.save_as(pacs.path(sent.SOPInstanceUID), enforce_file_format=True)
        assert pacs.instances(modality) == []
