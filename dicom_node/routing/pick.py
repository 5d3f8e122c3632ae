"""Of several reconstructions of one scan, the one that a route runs on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dicom_node.config import Route
from dicom_node.images import Facts, Stack
from dicom_node.routing.conditions import check_all


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """One stack that a route with `pick = "best"` matches."""

    key: str  # whatever tells the caller which stack this is
    stack: Stack
    facts: Facts = dataclasses.field(default_factory=dict)  # what gates and persons settled, beside the header's


def by_phase(candidates: Sequence[Candidate]) -> tuple[tuple[Candidate, ...], ...]:
    """Group candidates by study and contrast phase as the header names it; one is picked in each group."""
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in candidates:
        phase = candidate.stack.text("ContrastBolusAgentPhase").upper()
        groups.setdefault((candidate.stack.study_uid, phase), []).append(candidate)
    return tuple(tuple(group) for group in groups.values())


def pick_best(route: Route, candidates: Sequence[Candidate]) -> tuple[str, dict[str, str]]:
    """Choose one of a study's stacks of one phase.

    In this order: how many of the route's `prefer` hold, ORIGINAL pixels, fewest missing slices, longest extent, lowest
    series number, and the UIDs, so that the choice never hangs on arrival.

    Returns:
        The chosen candidate's key, and for each other's key the reason why it does not run.

    Raises:
        ValueError: when there is no candidate.
    """
    chosen = max(candidates, key=lambda one: _rank(route, one))
    reason = f"not run, because {name_stack(chosen.stack)} was chosen"
    return chosen.key, {one.key: reason for one in candidates if one.key != chosen.key}


def _rank(route: Route, candidate: Candidate) -> tuple[object, ...]:
    stack = candidate.stack
    preferred = sum(one.holds for one in check_all(route.prefer, {**stack.facts, **candidate.facts}))
    number = stack.number("SeriesNumber")
    return (
        preferred,
        "ORIGINAL" in stack.facts.get("ImageType", ()),
        -_gaps(stack),
        stack.number("extent_mm") or 0.0,
        -(number if number is not None else float("inf")),
        stack.series_uid,
        candidate.key,
    )


def _gaps(stack: Stack) -> int:
    """Return how many slices the stack's length lacks at its own spacing."""
    slices, spacing, extent = (stack.number(name) for name in ("slices", "spacing_mm", "extent_mm"))
    return max(round(extent / spacing - slices), 0) if slices and spacing and extent else 0


def name_stack(stack: Stack) -> str:
    """Return "series 3 (portal)", as a person knows a stack."""
    number = stack.number("SeriesNumber")
    series = f"series {number:g}" if number is not None else f"series {stack.series_uid}"
    description = stack.text("SeriesDescription")
    return f"{series} ({description})" if description else series
