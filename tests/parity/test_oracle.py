"""Against what the original program computed, seed `dev`; full sizes are `make parity`'s."""

from __future__ import annotations

import pytest

from pipelines.published.recipes import NETWORKS
from tests.parity.cascade import cascade_figures, stand_in
from tests.parity.oracle import FOLDER, WHY_NOT, Figure, imported, network_figures
from tests.parity.pipes import PIPES, lung_ends

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=WHY_NOT)


def said(figures: list[Figure]) -> str:
    return "\n".join(str(one) for one in figures if not one.ok)


@pytest.mark.parametrize("model", NETWORKS)
def test_each_network_computes_what_the_original_did(model: str) -> None:
    with imported(model) as entry:
        figures = list(network_figures(model, entry))
        if model == "LungSeg":
            figures += lung_ends(model)
        elif model in PIPES:
            figures += PIPES[model](model, entry)
    assert figures
    assert not said(figures), said(figures)


def test_the_kidney_cascade_cuts_and_puts_back_as_the_original_did() -> None:
    figures = list(cascade_figures("Kidney_stub", stand_in))
    assert len(figures) == 6 + 3 * 9
    assert not said(figures), said(figures)
