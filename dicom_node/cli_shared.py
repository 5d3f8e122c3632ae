"""What every command shares: the console, the options, one JSON document on request, and names that must be known."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderableType, RenderHook, RenderResult
from rich.segment import Segment

from dicom_node.config import Config, Peer
from dicom_node.config_words import did_you_mean
from dicom_node.errors import ConfigError
from dicom_node.printable import printable

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document; docs/json.md has its keys.")]
HERE = Path("config.toml")


class Escaping(RenderHook):
    """Shows control characters in whatever is printed as escapes: a header's text must not steer the terminal."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap each renderable."""
        return [_Escaped(renderable) for renderable in renderables]


@dataclasses.dataclass(frozen=True, slots=True)
class _Escaped:
    renderable: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(Group(self.renderable), options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


out = Console()
out.push_render_hook(Escaping())


def say(text: str) -> None:
    """Print one line as it is: no markup, no colours, not wrapped, so that paths stay whole."""
    out.print(text, soft_wrap=True, highlight=False, markup=False)


def print_json(command: str, values: Mapping[str, Any]) -> None:
    """Print a command's one JSON document; control characters are escaped by JSON itself."""
    out.file.write(json.dumps({"command": command, **values}, indent=2, default=str) + "\n")


def known_peer(config: Config, name: str) -> Peer:
    """Return a peer of the configuration; raises ConfigError naming the nearest one."""
    require_known(name, config.peers, "peer", "[peers.NAME]")
    return config.peers[name]


def require_known(name: str, known: Collection[str], kind: str, where: str) -> None:
    """Raise ConfigError unless the name is among the known ones; says where they stand and which is nearest."""
    if name not in known:
        there = did_you_mean(name, known) or f"; there {'are ' + ', '.join(known) if known else 'is none'}"
        raise ConfigError(f"no {kind} {name!r} in the configuration ({where}){there}")
