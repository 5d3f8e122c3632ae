"""Outside programs that tests use where they are installed."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def require(program: str) -> None:
    """Give the test up when a program is not on PATH."""
    if shutil.which(program) is None:
        give_up(f"no {program} on PATH")


def give_up(missing: str) -> NoReturn:
    """Skip the test for want of something; fail it where DICOM_NODE_REQUIRE_TOOLS promises that all is there."""
    if os.environ.get("DICOM_NODE_REQUIRE_TOOLS"):
        pytest.fail(missing)
    pytest.skip(missing)
