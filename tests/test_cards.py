from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicom_node import shipped
from dicom_node.cards import enforced, readers
from dicom_node.cli import app
from dicom_node.weights_store import Weights, read_catalog

FIELDS = ("trained", "licence", "source", "intended_use", "limits", "quality", "classes")
SHIPPED = list(read_catalog(shipped.WEIGHTS).values())


def listed(*words: str) -> str:
    done = CliRunner(env={"COLUMNS": "250"}).invoke(app, ["weights", "list", *words, "--config", str(shipped.CONFIG)])
    return done.output if done.exit_code == 0 else str(done.exception)


@pytest.mark.parametrize("entry", SHIPPED, ids=[entry.name for entry in SHIPPED])
def test_every_shipped_entry_has_a_complete_card_and_a_pipeline_that_says_what_it_refuses(entry: Weights) -> None:
    entry.verify()
    assert [key for key in FIELDS if not entry.card.get(key)] == []
    assert "Not a medical device" in entry.card["limits"]
    # An interval stands beside the figure, or that there is none.
    assert any(word in entry.card["quality"] for word in (" to ", "±", "n = 1, so there is no interval"))
    (pipeline,) = readers(entry.recipe)
    assert enforced(pipeline).startswith("Refuse")


def test_shipped_weights_are_small_and_every_file_has_an_entry() -> None:
    folder = Path(shipped.WEIGHTS)
    files = {path.name: path.stat().st_size for path in folder.glob("*.safetensors")}
    assert files.keys() == {entry.path.name for entry in SHIPPED}
    assert max(files.values()) <= 8 * 2**20
    assert sum(files.values()) <= 50 * 2**20


def test_the_list_shows_name_and_quality_on_a_terminal_of_80_columns() -> None:
    words = ["weights", "list", "--config", str(shipped.CONFIG)]
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, words).output
    assert all(entry.name in shown and entry.card["quality"][:15] in shown for entry in SHIPPED)


def test_the_list_has_a_line_per_entry_and_a_name_shows_its_whole_card() -> None:
    assert all(entry.name in listed() for entry in SHIPPED)
    card = listed("lung_cxr_small")
    for words in (
        "intended use",
        "CC BY-NC-SA 4.0",
        "lung_cxr enforces",
        "Not a medical device",
        "0.951 (0.946 to 0.955)",
    ):
        assert words in card
    assert "lr_mark_cxr enforces" in listed("--card")


def test_an_unknown_name_says_which_there_are() -> None:
    assert "no entry 'lungs' in the catalogue; there are brain_mr_small, contrast_ct_small" in listed("lungs")
