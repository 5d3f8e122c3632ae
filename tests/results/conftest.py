"""Every object that a test of this room leaves behind is judged by independent validators."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.support.tid1500 import lacks
from tests.support.validity import entity_errors, new_errors, ours_and_others


@pytest.fixture(autouse=True)
def _valid_results(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Fail a test whose results are not valid; `alters` marks those that spoil them on purpose."""
    yield
    if request.node.get_closest_marker("alters") is None:
        ours, others = ours_and_others(tmp_path)
        assert new_errors(ours, others) == []
        assert not ours or entity_errors(ours, others) == []
        reports = [one for one in map(dcmread, ours) if one.Modality == "SR"]
        assert [problem for one in reports for problem in lacks(one)] == []
