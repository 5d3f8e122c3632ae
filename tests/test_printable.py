from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from dicom_node.cli_shared import Escaping
from dicom_node.imaging.headers import facts_of
from dicom_node.printable import one_line, printable
from tests.support.dicom import radiograph

ATTACK = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202etxt"


def test_what_a_terminal_obeys_is_shown_as_its_escape() -> None:
    assert printable("a\x1b[31mb\tc\nd\x9b\u202e") == "a\\x1b[31mb\tc\nd\\x9b\\u202e"
    assert one_line("delivered\nstack 2") == "delivered\\nstack 2"
    assert printable("Müller 흉부 胸部") == "Müller 흉부 胸部"


def test_a_header_has_no_facts_that_steer_a_terminal() -> None:
    image = radiograph("1.2.1", "1.2.1.1")
    image.SeriesDescription = ATTACK
    (seen,) = facts_of(image)["SeriesDescription"]
    assert seen == "\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202etxt"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_whatever_is_printed_by_a_command_is_escaped(is_terminal: bool) -> None:
    console = Console(file=StringIO(), force_terminal=is_terminal, width=200)
    console.push_render_hook(Escaping())
    table = Table("why")
    table.add_row(ATTACK)
    console.print(table, ATTACK, markup=False, highlight=False)
    said = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert said.count("\\x1b") == 4
    assert "\x1b]" not in said
    assert "\u202e" not in said
