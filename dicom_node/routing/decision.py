"""What was decided for one stack, in full, so that it can be kept and shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self, TypeAlias

from pydantic import TypeAdapter

from dicom_node.routing.conditions import Checked
from dicom_node.routing.gates import GateSettled

Verdict: TypeAlias = Literal["run", "nothing to run", "held", "refused"]
Match: TypeAlias = Literal["yes", "no", "open"]
"""open: the route would match but for a fact that waits for a person."""


@dataclasses.dataclass(frozen=True, slots=True)
class PickedBefore:
    """A stack that a route with `pick` chose, and that was then refused."""

    stack: str  # its id
    says: str  # e.g. "series 2 (thin) was chosen first, refused because liver_ct: 1 slice(s) missing"


@dataclasses.dataclass(frozen=True, slots=True)
class Pick:
    """What a route with `pick` made of one stack, beside `passed_over`."""

    chosen: str = ""  # the id of the stack that was chosen in this one's place
    before: tuple[PickedBefore, ...] = ()  # what was chosen earlier, the first one first
    after: str = ""  # what was chosen once this stack had been refused, e.g. "series 3 (soft) was chosen next"

    @property
    def says(self) -> tuple[str, ...]:
        """What came before this stack's turn, and what after it."""
        return (*(one.says for one in self.before), *filter(None, [self.after]))


@dataclasses.dataclass(frozen=True, slots=True)
class RouteChecked:
    """One route: each alternative of its `when`, condition by condition."""

    route: str
    match: Match
    alternatives: tuple[tuple[Checked, ...], ...]
    passed_over: str = ""  # why it does not run although it matches, e.g. "series 3 (portal) was chosen"
    pick: Pick = Pick()

    @property
    def runs(self) -> bool:
        """Say whether the route matches and no other stack was chosen in this one's place."""
        return self.match == "yes" and not self.passed_over

    @property
    def waits(self) -> bool:
        """Say whether only a person's answer keeps the route from running."""
        return self.match == "open" and not self.passed_over

    @property
    def asks(self) -> bool:
        """Say whether the route's pipelines are asked for, now or after a person's answer."""
        return self.runs or self.waits


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One pipeline to run, once, for every route that asks for it."""

    pipeline: str
    routes: tuple[str, ...]
    send_to: tuple[str, ...]  # peers of all these routes, in the order of the file
    priority: int  # 1 goes first; the most urgent of these routes
    outputs: tuple[str, ...] = ()  # kinds of objects that its results are


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one stack and why.

    With `held`, `runs` are those that do not hang on the open fact; once a person has settled it, deciding anew gives
    these and the others.
    """

    verdict: Verdict
    reason: str  # one sentence, for a person
    gates: tuple[GateSettled, ...] = ()
    routes: tuple[RouteChecked, ...] = ()
    runs: tuple[Run, ...] = ()
    refusals: Mapping[str, str] = dataclasses.field(default_factory=dict)  # pipeline -> why it declines the stack

    @property
    def picks(self) -> str:
        """Say of the routes that run what was chosen before and after this stack; "" where nothing was refused."""
        return "".join(f"; {said}" for route in self.routes if route.runs for said in route.pick.says)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` reads back."""
        values: dict[str, Any] = TypeAdapter(type(self)).dump_python(self, mode="json")
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a decision from `to_json`'s values."""
        return TypeAdapter(cls).validate_python(values)
