"""A decision as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dicom_node.images import Stack
from dicom_node.routing.decision import Decision, RouteChecked
from dicom_node.routing.gates import GateSettled

_COLOURS = {"run": "green", "nothing to run": "dim", "held": "yellow", "refused": "red"}
_MATCHES = {"yes": "matches", "no": "does not match", "open": "waits"}


def render(decision: Decision, stack: Stack) -> RenderableType:
    """Return every gate, every route and condition with the value seen, and the verdict."""
    parts: list[RenderableType] = [_heading(stack)]
    if decision.gates:
        parts.append(_gates(decision.gates))
    parts.extend(_route(route) for route in decision.routes)
    if decision.runs:
        parts.append(_runs(decision))
    parts.append(Text(decision.reason, style=_COLOURS[decision.verdict]))
    return Group(*parts)


def _heading(stack: Stack) -> Text:
    number, slices = stack.number("SeriesNumber"), len(stack.frames)
    words = [
        f"series {number:g}" if number is not None else "series",
        stack.text("SeriesDescription") or "without a description",
        stack.text("Modality"),
        stack.text("kind"),
        f"{slices} frame{'s' if slices != 1 else ''}",
    ]
    return Text(f"{', '.join(filter(None, words))}\n{stack.series_uid}")


def _gates(gates: Iterable[GateSettled]) -> Table:
    table = _table("Gates", "gate", "pixels", "header", "fact", "because")
    for gate in gates:
        answer = gate.answer
        sure = "" if answer.probability is None else f" {answer.probability:.2f}"
        pixels = answer.problem or f"{answer.value}{sure}{f' ({answer.detail})' if answer.detail else ''}"
        table.add_row(*map(Text, (gate.gate, pixels, answer.claim or "nothing", gate.value, gate.because)))
    return table


def _route(route: RouteChecked) -> Table:
    title = f"Route {route.route}: {_MATCHES[route.match]}{f', {route.passed_over}' if route.passed_over else ''}"
    table = _table(title, "fact", "wanted", "seen", "holds")
    for number, checks in enumerate(route.alternatives, start=1):
        if len(route.alternatives) > 1:
            table.add_row(Text(f"alternative {number}", style="italic"))
        for one in checks:
            mark = Text("yes", style="green") if one.holds else Text("no", style="red")
            table.add_row(Text(one.fact), Text(one.wanted), Text(one.seen), mark)
    return table


def _runs(decision: Decision) -> Table:
    table = _table("Runs", "pipeline", "routes", "send to", "priority")
    for run in decision.runs:
        cells = run.pipeline, ", ".join(run.routes), ", ".join(run.send_to) or "nobody", str(run.priority)
        table.add_row(*map(Text, cells))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=Text(title), title_justify="left", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
