"""One house for all cells; a cell that fails leaves it to the next only after a new one was built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicom_node.demo.orthanc import Orthanc
from tests.faults.house import House
from tests.faults.report import Report
from tests.support.programs import require


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the table be written into a file, between its two marks."""
    parser.addoption("--faults-table", type=Path, help="write the table of cells into this file")


_REPORT = pytest.StashKey[Report]()


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    """What every cell came to."""
    return pytestconfig.stash.setdefault(_REPORT, Report())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the table, and put it where it is asked for."""
    report = config.stash.get(_REPORT, None)
    if report is not None:
        terminalreporter.write_line(report.table())
        if path := config.getoption("--faults-table"):
            report.write_into(path)


@pytest.fixture(scope="session")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An empty Orthanc."""
    require("Orthanc")
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory, pacs: Orthanc) -> Iterator[Houses]:
    """A node that serves cell after cell."""
    kept = Houses(tmp_path_factory, pacs)
    yield kept
    kept.close()


class Houses:
    """Keeps one house for cell after cell, and builds another when one failed in it."""

    def __init__(self, folders: pytest.TempPathFactory, pacs: Orthanc) -> None:
        self._folders = folders
        self._pacs = pacs
        self._house: House | None = None

    @contextmanager
    def lent(self) -> Iterator[House]:
        """Yield the house, whole; where the block raises, the next one gets a new house."""
        house, self._house = self._house or House(self._folders.mktemp("house"), self._pacs).__enter__(), None
        try:
            house.wait_until_whole()
            yield house
        except BaseException:
            house.__exit__(None, None, None)
            raise
        self._house = house

    def close(self) -> None:
        """Take it down."""
        house, self._house = self._house, None
        if house is not None:
            house.__exit__(None, None, None)
