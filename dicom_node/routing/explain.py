"""A decision as tables for a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dicom_node.images import Stack
from dicom_node.printable import one_line
from dicom_node.routing.conditions import Checked
from dicom_node.routing.decision import Decision, RouteChecked
from dicom_node.routing.gates import GateSettled
from dicom_node.routing.routes import nearest_route, nearness

_COLOURS = {"run": "green", "nothing to run": "dim", "held": "yellow", "refused": "red"}
_MATCHES = {"yes": "matches", "no": "does not match", "open": "waits"}


def render(decision: Decision, stack: Stack, *, everything: bool = False) -> RenderableType:
    """Return the verdict, then what decided it: with `everything`, every gate, route and condition with the value seen.

    What decided it are the routes that run or wait, else those passed over, else the nearest one; of each the
    alternative that did, and the gates that it asks about.
    """
    parts: list[RenderableType] = [_heading(stack), Text(one_line(decision.reason), style=_COLOURS[decision.verdict])]
    routes = decision.routes if everything else _deciding(decision)
    asked = {check.fact for route in routes for checks in route.alternatives for check in checks}
    gates = [gate for gate in decision.gates if everything or gate.gate in asked]
    if gates:
        parts.append(_gates(gates))
    parts.extend(_route(route) for route in routes)
    if decision.runs:
        parts.append(_runs(decision))
    return Group(*parts)


def _deciding(decision: Decision) -> list[RouteChecked]:
    matching = [route for route in decision.routes if route.asks] or [
        route for route in decision.routes if route.match != "no"
    ]
    if matching:
        return [dataclasses.replace(route, alternatives=(_nearest(route),)) for route in matching]
    nearest = nearest_route(decision)
    return [
        dataclasses.replace(route, alternatives=(_nearest(route),))
        for route in decision.routes
        if nearest and route.route == nearest[0]
    ]


def _nearest(route: RouteChecked) -> tuple[Checked, ...]:
    """Return the alternative of which the greatest share of conditions is met."""
    return max(route.alternatives, key=nearness, default=())


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
    table = _table("Runs", "pipeline", "routes", "gives", "send to", "priority")
    for run in decision.runs:
        send_to = ", ".join(run.send_to) or "nobody"
        cells = run.pipeline, ", ".join(run.routes), ", ".join(run.outputs), send_to, str(run.priority)
        table.add_row(*map(Text, cells))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=Text(title), title_justify="left", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
