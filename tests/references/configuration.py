"""Every key of config.toml, from the classes that read it: type, default, limits, and the comment that explains it."""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, IPvAnyNetwork
from pydantic_core import PydanticUndefined

from dicom_node import config
from dicom_node.patterns import HeaderPattern
from tests.references.tables import render_table

SECTIONS: dict[str, type[BaseModel]] = {
    "node": config.Node,
    "callers NAME": config.NamedCaller,
    "storage": config.Storage,
    "database": config.Database,
    "peers NAME": config.Peer,
    "gates NAME": config.Gate,
    "routes": config.Route,
    "condition": config.Condition,
    "pipelines NAME": config.PipelineSection,
    "on_implausible": config.Implausible,
    "workers": config.Workers,
    "log": config.Log,
    "tls": config.TLS,
}
"""Place in docs/configuration.md -> the class that reads the section."""

_BOUNDS = {
    "ge": "at least",
    "gt": "above",
    "le": "at most",
    "lt": "below",
    "min_length": "at least",
    "max_length": "at most",
}
_WORDS: dict[Any, str] = {
    **{str: "text", bool: "true or false", int: "whole number", float: "number", Path: "path", time: "time"},
    **{HeaderPattern: "regular expression", IPvAnyNetwork: "address or network"},
}


@dataclass(frozen=True)
class Key:
    """One key as the reference shows it."""

    name: str
    values: str
    default: str
    comment: str


def comments_of(module: ModuleType) -> dict[int, str]:
    """Return each line's comment by the line's number; lines that hold nothing else belong to the line above them."""
    comments: dict[int, str] = {}
    above = 0
    for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(module)).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            words = comments.get(above, "") if token.line.lstrip().startswith("#") else ""
            comments[above if token.line.lstrip().startswith("#") else line] = (
                f"{words} {token.string.lstrip('# ')}".strip()
            )
        elif token.type == tokenize.NEWLINE:
            above = line
    return comments


def keys_of(model: type[BaseModel]) -> Iterator[Key]:
    """Yield the keys that a section may have, those of the classes that it extends first."""
    for owner in reversed(model.__mro__):
        if not (isinstance(owner, type) and issubclass(owner, BaseModel)) or owner is BaseModel:
            continue
        module = inspect.getmodule(owner)
        assert module is not None
        comments = comments_of(module)
        tree = ast.parse(inspect.getsource(module))
        (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner.__name__]
        for line in body:
            if (
                isinstance(line, ast.AnnAssign)
                and isinstance(line.target, ast.Name)
                and line.target.id in owner.model_fields
            ):
                yield _key(model, line, line.target.id, comments)


def _key(model: type[BaseModel], line: ast.AnnAssign, name: str, comments: dict[int, str]) -> Key:
    field = model.model_fields[name]
    comment = comments.get(line.end_lineno or line.lineno, "")
    values = ", ".join([_values(field.annotation), *_bounds(field.metadata)])
    return Key(field.alias or name, values, _default(field.get_default(call_default_factory=True)), comment)


def _values(kind: Any) -> str:
    """Say in words what a type lets through."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _values(parts[0])
    if origin is Literal:
        return ", ".join(f"`{_literal(word)}`" for word in parts)
    if origin in (Union, UnionType):
        return " or ".join(_values(part) for part in parts if part is not NoneType)
    if origin is tuple:
        return "list of " + " and ".join(_values(part) for part in parts if part is not Ellipsis)
    return _WORDS.get(kind, "table")


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for bound in metadata:
        for name, word in _BOUNDS.items():
            if (limit := getattr(bound, name, None)) is not None:
                yield f"{word} {limit:g}"


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "must be given"
    if value is None or value in ((), {}, "", ({},)):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, BaseModel):
        return "see the table"
    if isinstance(value, tuple):
        return f"`[{', '.join(_literal(part) for part in value)}]`"
    return f"`{_literal(value)}`"


def _literal(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, int) or not isinstance(value, str) else f'"{value}"'


def tables() -> dict[str, str]:
    """Return the table of each section."""
    return {
        section: render_table(
            ("key", "takes", "left out", "meaning"),
            [(f"`{key.name}`", key.values, key.default, key.comment) for key in keys_of(model)],
        )
        for section, model in SECTIONS.items()
    }
