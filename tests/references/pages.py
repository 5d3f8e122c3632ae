"""The pages of docs/ that are made from the code in part."""

from __future__ import annotations

from pathlib import Path

from tests.references import commands, configuration, conformance
from tests.references.tables import fill_page

_DOCS = Path(__file__).resolve().parents[2] / "docs"


def made_pages() -> dict[Path, str]:
    """Return what each page should say."""
    tables = {**configuration.tables(), **conformance.tables(), "commands": commands.render()}
    names = ("configuration.md", "conformance.md", "commands.md")
    return {_DOCS / name: fill_page((_DOCS / name).read_text(encoding="utf-8"), tables) for name in names}
