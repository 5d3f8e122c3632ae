"""Named groups of conditions in config.toml, put where a `when` or another group says `use = "name"`."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dicom_node.config_words import did_you_mean
from dicom_node.errors import ConfigError


def include_groups(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with each `use` replaced by the named groups' conditions; a table's own conditions win.

    What has another shape than the file format asks for is left as it is, for the validation that follows.

    Raises:
        ConfigError: a `use` names no group, or a group includes itself.
    """
    groups = _table(document.get("conditions"))
    included = dict(document)
    if groups:
        included["conditions"] = {name: _expanded(group, groups, (name,)) for name, group in groups.items()}
    for kind in ("routes", "gates"):
        if kind in document:
            included[kind] = _with_expanded_when(document[kind], groups)
    return included


def unused_groups(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the groups that no `when` includes, directly or through another group."""
    groups = _table(document.get("conditions"))
    sections = [*_tables(document.get("routes")), *_tables(list(_table(document.get("gates")).values()))]
    waiting = [name for section in sections for name in _names_in(section.get("when"))]
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting.extend(_names_in(groups.get(name)))
    return tuple(name for name in groups if name not in used)


def _with_expanded_when(sections: Any, groups: Mapping[str, Any]) -> Any:
    if isinstance(sections, dict):
        return {name: _with_when(section, groups) for name, section in sections.items()}
    return [_with_when(section, groups) for section in sections] if isinstance(sections, list) else sections


def _with_when(section: Any, groups: Mapping[str, Any]) -> Any:
    if not isinstance(section, dict) or "when" not in section:
        return section
    return {**section, "when": _expanded(section["when"], groups, ())}


def _expanded(when: Any, groups: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    """Expand one `when`; `within` are the groups that led here, outermost first."""
    if isinstance(when, list):
        return [_expanded(alternative, groups, within) for alternative in when]
    if not isinstance(when, dict) or "use" not in when:
        return when
    included = [_group(name, groups, within) for name in _names(when["use"])]
    own = {fact: condition for fact, condition in when.items() if fact != "use"}
    return functools.reduce(_joined, [*included, own])


def _group(name: Any, groups: Mapping[str, Any], within: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(name, str):
        raise ConfigError(f"`use` takes names of [conditions], not {name!r}")
    if name in within:
        raise ConfigError(f"[conditions.{name}] includes itself: {' -> '.join([*within, name])}")
    if name not in groups:
        raise ConfigError(f'`use = "{name}"` names no [conditions.{name}]{did_you_mean(name, groups)}')
    return _table(_expanded(groups[name], groups, (*within, name)))


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Join two groups of conditions; two tables on one fact are joined too, else the second stands."""
    both = [fact for fact in first if isinstance(first[fact], Mapping) and isinstance(second.get(fact), Mapping)]
    return {**first, **second, **{fact: {**first[fact], **second[fact]} for fact in both}}


def _names_in(when: Any) -> Iterator[str]:
    for table in _tables(when if isinstance(when, list) else [when]):
        yield from (name for name in _names(table.get("use", [])) if isinstance(name, str))


def _names(use: Any) -> Iterable[Any]:
    return use if isinstance(use, list) else [use]


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _tables(values: Any) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []
