"""Tables in Markdown, and the places in a page that they are written to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence


def render_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown, their line breaks and bars are taken care of."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def fill_page(page: str, tables: Mapping[str, str]) -> str:
    """Write each table between `<!-- made: NAME -->` and `<!-- end -->`.

    Raises:
        KeyError: the page has a place that no table is for.
    """

    def table(place: re.Match[str]) -> str:
        return f"{place[1]}\n{tables[place[2]]}\n{place[3]}"

    return re.sub(r"(<!-- made: ([\w ]+) -->)\n.*?(<!-- end -->)", table, page, flags=re.DOTALL)
