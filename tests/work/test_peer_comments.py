"""A peer's own words reach a person, and the log only with the patient masked."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from rich.console import Console

from dicom_node.catalog import Delivery, StackState
from dicom_node.status import history, read_status, render_status
from tests.deliver.pacs import Pacs, archive
from tests.support.dicom import PATIENT_ID, ct_slice
from tests.work.house import House

CONFIG = """
[node]
ae_title = "NODE"
[storage]
min_free_gb = 0
max_study_age_days = 100000
[peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
{log}
"""
WORDS = f"no order for {PATIENT_ID}"


def refused(folder: Path, log: str = "") -> House:
    """Return a house whose only result a peer has refused, with words."""
    with archive(Pacs(status=lambda _number: 0xA900, comment=WORDS)) as pacs:
        house = House(folder, CONFIG.format(port=pacs.port, log=log))
        house.owe(ct_slice("1.2.1", "1.2.1.1"), "pacs")
        house.settle_until(StackState.FAILED)
    return house


def test_a_peer_s_words_are_kept_in_the_delivery_s_row_and_shown(tmp_path: Path) -> None:
    house = refused(tmp_path)
    (delivery,) = house.rows(Delivery)
    assert (delivery.comment, WORDS in delivery.reason) == (WORDS, False)
    console = Console(width=400)
    with console.capture() as shown:
        console.print(render_status(read_status(house.catalog)))
    assert f"its words: {WORDS}" in shown.get()
    (stack,) = read_status(house.catalog).latest
    _, told = history(house.catalog, stack.id)
    assert told[-1][1].endswith(WORDS)


@pytest.mark.parametrize(("log", "words"), [("", "a comment"), ("[log]\npeer_comments = true", "no order for ***")])
def test_the_log_has_the_status_and_the_words_only_where_they_are_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, log: str, words: str
) -> None:
    with caplog.at_level(logging.INFO, "dicom_node"):
        refused(tmp_path, log)
    (line,) = [record.getMessage() for record in caplog.records if "0xA900" in record.getMessage()]
    assert words in line
    assert PATIENT_ID not in caplog.text
