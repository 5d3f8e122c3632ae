"""What a gate saw in the pixels and what the header claims, settled to one fact."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

from dicom_node.config import Config, Gate
from dicom_node.images import Stack
from dicom_node.routing.conditions import check_all

UNCERTAIN = "uncertain"
State: TypeAlias = Literal["settled", "open", "any"]
"""settled: `value` is the fact; open: a person must say; any: a route may take it for what it asks."""


@dataclasses.dataclass(frozen=True, slots=True)
class GateAnswer:
    """What one gate's model saw, and what the header says to the same question."""

    value: str = UNCERTAIN  # of the pixels: one of the gate's words, or "uncertain"
    probability: float | None = None  # 0..1, of the value
    detail: str = ""  # e.g. "9 of 9 slices voted enhanced"
    claim: str = ""  # the header's, "" where it says nothing
    claim_because: str = ""
    problem: str = ""  # why the pixels were not looked at, e.g. "not run: no weights"


@dataclasses.dataclass(frozen=True, slots=True)
class GateSettled:
    """One gate's answer with the fact that routes see."""

    gate: str
    answer: GateAnswer
    value: str  # "uncertain" while open
    state: State
    because: str


def gates_for(config: Config, stack: Stack) -> tuple[str, ...]:
    """Return the names of the gates that apply to a stack, in the order of the file."""
    return tuple(
        name
        for name, gate in config.gates.items()
        if any(all(one.holds for one in check_all(conditions, stack.facts)) for conditions in gate.when)
    )


def settle(name: str, gate: Gate, answer: GateAnswer, override: str | None = None) -> GateSettled:
    """Settle one gate: a person's word first, then pixels and header by the gate's two rules.

    A disagreement needs two claims: pixels that decided, and a header that says something else.
    """
    if override is not None:
        return GateSettled(name, answer, override, "settled", "a person settled it")
    claim = "" if _same(answer.claim, UNCERTAIN) else answer.claim.strip()
    if answer.problem or _same(answer.value, "") or _same(answer.value, UNCERTAIN):
        return _uncertain(name, gate, answer, claim)
    if not claim or _same(claim, answer.value):
        agrees = "the header agrees" if claim else "the header says nothing"
        return GateSettled(name, answer, answer.value, "settled", f"the pixels say {answer.value}; {agrees}")
    return _disagreement(name, gate, answer, claim)


def _disagreement(name: str, gate: Gate, answer: GateAnswer, claim: str) -> GateSettled:
    both = f"the pixels say {answer.value}, the header {claim}{_because(answer)}"
    if gate.on_disagreement == "pixels":
        return GateSettled(name, answer, answer.value, "settled", f"{both}; pixels decide")
    if gate.on_disagreement == "header":
        return GateSettled(name, answer, claim, "settled", f"{both}; the header decides")
    return GateSettled(name, answer, UNCERTAIN, "open", both)


def _uncertain(name: str, gate: Gate, answer: GateAnswer, claim: str) -> GateSettled:
    pixels = answer.problem or "the pixels are uncertain"
    header = f"the header says {claim}{_because(answer)}" if claim else "the header says nothing"
    if gate.on_uncertain == "header" and claim:
        return GateSettled(name, answer, claim, "settled", f"{pixels}; {header}, which decides")
    state: State = "any" if gate.on_uncertain == "run" else "open"
    return GateSettled(name, answer, UNCERTAIN, state, f"{pixels}; {header}")


def _because(answer: GateAnswer) -> str:
    return f" ({answer.claim_because})" if answer.claim_because else ""


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.casefold()
