"""What is wrong with config.toml, in sentences that name the place, what came and what is wanted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

_WANTED = {
    "tuple_type": "a list is wanted, e.g. [1, 2]",
    "list_type": "a list is wanted, e.g. [1, 2]",
    "dict_type": "a table is wanted, e.g. { name = value }",
    "mapping_type": "a table is wanted, e.g. { name = value }",
    "model_type": "a table is wanted, e.g. { name = value }",
    "model_attributes_type": "a table is wanted, e.g. { name = value }",
    "string_type": "text in quotes is wanted",
    "path_type": "a path in quotes is wanted",
    "int_type": "a whole number is wanted",
    "int_parsing": "a whole number is wanted",
    "int_from_float": "a whole number is wanted",
    "float_type": "a number is wanted",
    "float_parsing": "a number is wanted",
    "finite_number": "a finite number is wanted",
    "bool_type": "true or false is wanted",
    "bool_parsing": "true or false is wanted",
    "time_type": "a time of day is wanted, e.g. 07:00:00",
    "time_parsing": "a time of day is wanted, e.g. 07:00:00",
    "too_short": "must name at least one",
    "missing": "is missing",
    "extra_forbidden": "unknown keyword",
}
"""pydantic's type of error -> what a person reads instead of pydantic's words."""
_WITHOUT_INPUT = ("missing", "extra_forbidden", "value_error", "too_short")
_SHOWN_CHARACTERS = 60
_ALIKE = 0.65  # share of letters that two words have in common, above which one may be meant by the other


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the nearest of the known words as the end of a sentence; "" where none is near."""
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), list(by_folded), n=1, cutoff=_ALIKE)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""


def validation_sentences(
    error: ValidationError, document: Mapping[str, Any], keywords: Mapping[str, Iterable[str]]
) -> Iterator[str]:
    """Yield one sentence for each place that is wrong.

    Args:
        error: what pydantic says of the document.
        document: the file's values, for the names of its routes.
        keywords: the keywords of each section; "" is the top of the file, "when" a condition.
    """
    found = [(_without_union(details["loc"]), details) for details in error.errors()]
    in_groups = [loc[2:] for loc, _ in found if loc[:1] == ("conditions",)]  # these come again wherever a group is used
    said: set[tuple[int | str, ...]] = set()
    for loc, details in found:
        is_repeated = loc in said or ("when" in loc and any(loc[-len(tail) :] == tail for tail in in_groups if tail))
        said.add(loc)
        if not is_repeated:
            yield f"{_place(loc, document)}: {_problem(details, loc, keywords)}".removeprefix(": ")


def settings_sentences(error: ValidationError, known: Iterable[str]) -> Iterator[str]:
    """Yield one sentence for each of a pipeline's own keys that is wrong; `known` are all keys of its section."""
    known = list(known)
    for details in error.errors():
        place = ".".join(map(str, details["loc"]))
        yield f"{place}: {_problem(details, details['loc'], {'': known})}".removeprefix(": ")


def _without_union(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the place without the names of the types that pydantic tried there, one error for each."""
    members = {"str", "float", "bool", "int", "dict[str,str]"}
    return loc[:-1] if loc and loc[-1] in members else loc


def _place(loc: Sequence[int | str], document: Mapping[str, Any]) -> str:
    """Name the place as the file does: routes by name, alternatives of a `when` and entries of a list from 1."""
    words: list[str] = []
    value: Any = document
    for number, part in enumerate(loc):
        value = _inside(value, part)
        if isinstance(part, str):
            words.append(part)
        elif number == 1 and loc[0] == "routes":
            name = value.get("name") if isinstance(value, Mapping) else None
            words[-1] = f"route {name!r}" if name else f"route {part + 1} of the file"
        elif words[-1] != "when" or _has_alternatives(document, loc[:number]):
            words[-1] = f"{words[-1]} ({'alternative' if words[-1] == 'when' else 'entry'} {part + 1})"
    return ".".join("not" if word == "not_" else word for word in words if word != "any_of")


def _has_alternatives(document: Mapping[str, Any], loc: Sequence[int | str]) -> bool:
    value: Any = document
    for part in loc:
        value = _inside(value, part)
    return isinstance(value, list)


def _inside(value: Any, part: int | str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part)
    inside = isinstance(value, list) and isinstance(part, int) and part < len(value)
    return value[part] if inside else None


def _problem(details: Any, loc: Sequence[int | str], keywords: Mapping[str, Iterable[str]]) -> str:
    kind, message = details["type"], details["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"unknown keyword{_advice(str(loc[-1]), loc, keywords)}"
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", details["ctx"]["expected"])
        near = did_you_mean(str(details["input"]), words)
        return f"{_shown(details['input'])} is none of {', '.join(filter(None, words))}{near}"
    if loc and loc[-1] == "when":
        return f"a table of conditions or a list of such tables is wanted; {_shown(details['input'])} came"
    said = _WANTED.get(kind, message.replace("Input should be", "must be"))
    return said if kind in _WITHOUT_INPUT else f"{said}; {_shown(details['input'])} came"


def _advice(word: str, loc: Sequence[int | str], keywords: Mapping[str, Iterable[str]]) -> str:
    section = "" if len(loc) == 1 else "when" if "when" in loc or loc[0] == "conditions" else str(loc[0])
    if near := did_you_mean(word, keywords.get(section, ())):
        return near
    homes = [name for name, known in keywords.items() if name and word in known]
    return f" here; it belongs in [{homes[0]}]" if homes else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
