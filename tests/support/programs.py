"""Outside programs that tests use where they are installed."""

from __future__ import annotations

import os
import shutil

import pytest


def require(program: str) -> None:
    """Skip the test when a program is not on PATH; fail it where DICOM_NODE_REQUIRE_TOOLS promises that it is."""
    if shutil.which(program) is None:
        (pytest.fail if os.environ.get("DICOM_NODE_REQUIRE_TOOLS") else pytest.skip)(f"no {program} on PATH")
