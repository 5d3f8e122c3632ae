"""Against what the original program computed, seed `dev`; full sizes are `make parity`'s."""

from __future__ import annotations

import pytest

from pipelines.published.kidney_modes import MODES
from pipelines.published.recipes import NETWORKS
from tests.parity.cascade import cascade_figures, shown_by, stand_in, volume
from tests.parity.oracle import FOLDER, WHY_NOT, Figure, imported, network_figures
from tests.parity.pipes import RUNS, lung_ends, pipe_figures

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=WHY_NOT)


def said(figures: list[Figure]) -> str:
    return "\n".join(str(one) for one in figures if not one.ok)


@pytest.mark.parametrize("model", NETWORKS)
def test_each_network_computes_what_the_original_did(model: str) -> None:
    with imported(model) as config:
        figures = list(network_figures(model, config))
        if model == "LungSeg":
            figures += lung_ends(model)
        elif model in RUNS:
            figures += pipe_figures(model, config)
    assert figures
    assert not said(figures), said(figures)


def test_the_kidney_cascade_cuts_and_puts_back_as_the_original_did() -> None:
    shown = shown_by({mode: stand_in(mode) for mode in MODES}, volume())
    figures = list(cascade_figures("Kidney_stub", shown))
    assert len(figures) == 6 + 3 * 9
    assert not said(figures), said(figures)
