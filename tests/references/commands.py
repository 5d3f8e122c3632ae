"""Every command of `dicom-node`, from the functions that typer calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from dicom_node.cli import app
from tests.references.tables import render_table

Parameter: TypeAlias = TyperArgument | TyperOption


def render() -> str:
    """Return a section for each command: what it does, its arguments and options."""
    return "\n\n".join(_section(words, command) for words, command in _commands("dicom-node", get_command(app)))


def _commands(words: str, command: Any) -> Iterator[tuple[str, TyperCommand]]:
    """Yield each command by its words."""
    if isinstance(command, TyperGroup):
        for name, further in command.commands.items():
            yield from _commands(f"{words} {name}", further)
    else:
        yield words, command


def _section(words: str, command: TyperCommand) -> str:
    parameters: list[Any] = [parameter for parameter in command.params if parameter.name != "help"]
    arguments = [_name(parameter) for parameter in parameters if isinstance(parameter, TyperArgument)]
    table = render_table(("option", "left out", "meaning"), [_row(one) for one in parameters]) if parameters else ""
    return "\n\n".join(filter(None, [f"### `{' '.join([words, *arguments])}`", command.help or "", table]))


def _row(parameter: Parameter) -> tuple[str, str, str]:
    says_something = parameter.default not in (None, "", False, (), [])
    default = "must be given" if parameter.required else f"`{parameter.default}`" if says_something else ""
    return f"`{_name(parameter)}`", default, parameter.help or ""


def _name(parameter: Parameter) -> str:
    if isinstance(parameter, TyperArgument):
        return str(parameter.name).upper()
    return ", ".join(parameter.opts)
