"""A peer that keeps breaking the rules fills no log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dicom_node.receive.sparing import Sparing
from tests.receive.node import running
from tests.support.malformed import attack, stored


def test_a_peer_that_breaks_the_rules_again_and_again_is_named_a_few_times(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as site:
        for _ in range(30):
            attack(site.receiver.port, [b"GET / HTTP/1.1"], patience_s=5.0, address="127.0.0.77")
    lines = [one for one in caplog.records if one.name == "dicom_node.receive.connection"]
    assert 1 <= len(lines) <= 10


def test_a_peer_whose_objects_are_refused_again_and_again_is_named_a_few_times(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as site:
        for number in range(30):
            attack(site.receiver.port, stored(b"no data set", f"1.2.3.{number}"), patience_s=5.0, address="127.0.0.78")
    lines = [one for one in caplog.records if one.name == "dicom_node.receive.storing"]
    assert 1 <= len(lines) <= 10
    assert all("refused" in one.getMessage() for one in lines)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records]


def test_each_peer_is_counted_for_itself_and_what_was_left_out_is_said(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    log = logging.getLogger("tests.sparing")
    sparing = Sparing(2, 60.0, lambda: now[0])
    log.addFilter(sparing)
    try:
        for peer in ("10.0.0.1", "10.0.0.2"):
            for number in range(5):
                log.warning("%s broke rule %d", peer, number, extra={"peer": peer})
        log.error("%s met an error of ours", "10.0.0.1", extra={"peer": "10.0.0.1"})
        assert [line.split()[0] for line in _lines(caplog)] == ["10.0.0.1"] * 2 + ["10.0.0.2"] * 2 + ["10.0.0.1"]
        now[0] = 61.0
        log.warning("%s broke rule %d", "10.0.0.1", 9, extra={"peer": "10.0.0.1"})
        assert _lines(caplog)[-1] == "10.0.0.1 broke rule 9; 3 lines like it were left out"
    finally:
        log.removeFilter(sparing)
