"""A plug-in of pytest that writes down which tests were skipped: `-p tests.support.skipped --skipped-to=FILE`."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--skipped-to", type=Path, help="a file that takes a line for each skipped test")


class SkippedTests:
    """Collects the ids of skipped tests; of parallel workers only the one that they report to has a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._ids.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._path.write_text("".join(f"{test_id}\n" for test_id in self._ids))


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--skipped-to")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkippedTests(path))
