r"""Regular expressions over header values, searched in time that grows linearly with the value.

A header's text comes from strangers and a pattern from a site's configuration; with back-tracking either can hold up
everything behind it. RE2 has none. Its `\b`, `\w` and `\d` know ASCII only; `\pL` is a letter of any script.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, TypeAlias

import re2
from pydantic import AfterValidator

LONGEST = 1024
"""Characters of a value that are kept and searched: those of ST, the longest text VR but for UC, UR, LT and UT.

LO may hold 64 (PS3.5 6.2), but scanners and archives write more, and a word beyond the 64th still says what it says.
"""

_MOST_STEPS = 20_000  # of the compiled program, all of which may be tried at every character
_SEPARATORS = str.maketrans("_-./", "    ")


def search(pattern: str, text: str) -> str | None:
    """Return the part of the text that a pattern matches first, or None; raises ValueError as `checked` does."""
    found = _compiled(pattern).search(text[:LONGEST])
    return None if found is None else str(found[0])


def matches_whole(pattern: str, text: str) -> bool:
    """Say whether a pattern matches a text from its first to its last character; raises as `search` does."""
    return len(text) <= LONGEST and _compiled(pattern).fullmatch(text) is not None


def replace(pattern: str, by: str, text: str) -> str:
    """Return the text with every match of a pattern replaced; raises as `search` does."""
    return str(_compiled(pattern).sub(by, text[:LONGEST]))


def blanked(text: str) -> str:
    r"""Return the text with `_ - . /` as blanks: "CT_Abdomen-Portal" is one word to `\b`."""
    return text.translate(_SEPARATORS)


def checked(pattern: str) -> str:
    """Return a pattern that can be searched in linear time.

    Raises:
        ValueError: it is no regular expression, needs back-tracking, or is too large.
    """
    steps = _compiled(pattern).programsize
    if steps > _MOST_STEPS:
        raise ValueError(f"{pattern!r} is slow: {steps} steps for each character, at most {_MOST_STEPS} are allowed")
    return pattern


HeaderPattern: TypeAlias = Annotated[str, AfterValidator(checked)]
"""A regular expression in a configuration, refused where it is none or cannot be searched in linear time."""


@functools.lru_cache(1024)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(
            f"{pattern!r} is not a regular expression of linear time: {said}"
            f"{' (look-around is none; write what must not be there under `not`)' if '(?' in said else ''}"
        ) from error
