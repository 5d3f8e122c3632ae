"""Text that came from outside, made safe to print: what a terminal would obey is shown as its escape."""

from __future__ import annotations

import re

_DIRECTIONS = "\u202a-\u202e\u2066-\u2069"  # they let a line read otherwise than it is written
_CONTROLS = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_DIRECTIONS}]")
_CONTROLS_AND_LINE_ENDS = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029{_DIRECTIONS}]")


def printable(text: str) -> str:
    r"""Return the text with control characters as escapes such as `\x1b`; line feeds and tabs stay."""
    return _CONTROLS.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Return the text as `printable` does, with line feeds and tabs as escapes too: it cannot forge a line."""
    return _CONTROLS_AND_LINE_ENDS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
