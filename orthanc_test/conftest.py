"""The PACS as a fixture."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from orthanc_test.orthanc import Orthanc


def require(program: str) -> None:
    """Skip the test when a program is not on PATH; fail it when DICOM_NODE_REQUIRE_TOOLS is set."""
    if shutil.which(program) is not None:
        return
    reason = f"no {program} on PATH"
    if os.environ.get("DICOM_NODE_REQUIRE_TOOLS"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An empty Orthanc of the test's own."""
    require("Orthanc")
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running
