"""The PACS as a fixture; and where every program is promised, a skipped test fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator

import pytest

from orthanc_test.orthanc import Orthanc


def require(program: str) -> None:
    """Skip the test when a program is not on PATH."""
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on PATH")


@pytest.fixture
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An empty Orthanc of the test's own."""
    require("Orthanc")
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure under DICOM_NODE_REQUIRE_TOOLS; pytest calls this for this folder's tests only."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("DICOM_NODE_REQUIRE_TOOLS"):
        report.outcome = "failed"
        report.longrepr = f"skipped where DICOM_NODE_REQUIRE_TOOLS is set: {report.longreprtext}"
    return report
