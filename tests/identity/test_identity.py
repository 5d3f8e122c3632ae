"""Nothing acknowledged vanishes and nothing reaches the wrong patient, whatever comes twice from whom and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.identity.cells import Cell, every_cell, impossible, possible, representative
from tests.identity.expected import Expected, expect
from tests.identity.found import found
from tests.identity.images import Images
from tests.identity.site import Site
from tests.identity.stages import run

_AT_LEAST_S, _EACH_S = 60.0, 2.0  # for the whole way of so many cells on a busy machine


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as running:
        yield running


def differing(cells: Sequence[Cell], ends: Sequence[Expected], *, is_rebuilt: bool = False) -> list[str]:
    """Return a line for each cell that has not come to what it has to."""
    pairs = [(cell, expect(cell, is_rebuilt=is_rebuilt), end) for cell, end in zip(cells, ends, strict=True)]
    return [f"{cell}: expected {wanted}, found {end}" for cell, wanted, end in pairs if wanted != end]


def check(site: Site, cells: Sequence[Cell]) -> None:
    """Let every cell come to its end, and to the same again once the node was killed and its catalog was lost."""
    within_s = _AT_LEAST_S + _EACH_S * len(cells)
    rows = [Images(cell, number) for number, cell in enumerate(cells)]
    run(site, rows, within_s)
    assert differing(cells, found(site, rows)) == []
    site.kill()
    site.lose_catalog()
    site.start()
    site.wait(site.is_settled, "everything to be registered and sent again", within_s)
    assert differing(cells, found(site, rows), is_rebuilt=True) == []


def test_the_matrix_is_whole_and_says_why_a_cell_cannot_be() -> None:
    cells = list(every_cell())
    reasons = [impossible(cell) for cell in cells]
    assert (len(cells), len(set(cells)), reasons.count("")) == (1200, 1200, 930)
    assert len(set(filter(None, reasons))) == 3


def test_each_cell_ends_as_the_rules_say_and_so_again_from_the_disk(site: Site) -> None:
    check(site, representative())


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_every_cell_ends_as_the_rules_say_and_so_again_from_the_disk(site: Site) -> None:
    check(site, possible())
