from __future__ import annotations

from pathlib import Path

import pytest

from tests.references.configuration import SECTIONS, keys_of
from tests.references.pages import made_pages

PAGES = made_pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_reference_says_what_the_program_does(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == PAGES[page], "run `make docs`"


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_the_configuration_is_explained(section: str) -> None:
    assert [key.name for key in keys_of(SECTIONS[section]) if not key.comment] == []
