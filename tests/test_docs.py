from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
NAMED = re.findall(r"`((?:tests|orthanc_test)/[\w/]+\.py)::(\w+)`", (REPOSITORY / "docs" / "ihe-air.md").read_text())


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_test_that_the_checklist_names_exists(file: str, name: str) -> None:
    assert f"def {name}(" in (REPOSITORY / file).read_text()


def test_the_checklist_names_tests() -> None:
    assert len(NAMED) > 20
