from __future__ import annotations

import itertools
from typing import Any

import pytest

from dicom_node.config import Route
from dicom_node.routing import Candidate, by_phase, pick_best
from tests.routing.cases import stack

ROUTE = Route.model_validate(
    {
        "name": "liver",
        "when": {"Modality": "CT"},
        "run": ["liver"],
        "pick": "best",
        "prefer": {
            "ConvolutionKernel": {"not": {"matches": "^Br[5-9]"}},
            "SeriesDescription": {"matches": "(?i)portal"},
            "contrast": {"not": "non-enhanced"},
        },
    }
)
GOOD: dict[str, Any] = {
    "SeriesNumber": 4.0,
    "ImageType": ("ORIGINAL", "AXIAL"),
    "slices": 100.0,
    "spacing_mm": 2.0,
    "extent_mm": 200.0,
    "ConvolutionKernel": "Br40",
    "SeriesDescription": "portal",
}


def _candidate(key: str, **facts: Any) -> Candidate:
    return Candidate(key, stack(**{**GOOD, **facts}))


@pytest.mark.parametrize(
    "worse",
    [
        {"ConvolutionKernel": "Br60"},
        {"SeriesDescription": "arterial"},
        {"ImageType": ("DERIVED", "AXIAL")},
        {"slices": 98.0},
        {"slices": 50.0, "extent_mm": 100.0},
        {"SeriesNumber": 5.0},
    ],
)
def test_the_better_of_two_is_chosen_whatever_their_order(worse: dict[str, Any]) -> None:
    both = _candidate("good"), _candidate("worse", **worse)
    for order in itertools.permutations(both):
        assert pick_best(ROUTE, order)[0] == "good"


def test_what_a_route_prefers_counts_before_original_pixels() -> None:
    derived, arterial = _candidate("a", ImageType=("DERIVED",)), _candidate("b", SeriesDescription="arterial")
    assert pick_best(ROUTE, [arterial, derived])[0] == "a"


def test_the_others_are_told_which_series_was_chosen() -> None:
    chosen, others = pick_best(
        ROUTE, [_candidate("a"), _candidate("b", SeriesNumber=5.0), _candidate("c", slices=90.0)]
    )
    reason = "not run, because series 4 (portal) was chosen"
    assert (chosen, others) == ("a", {"b": reason, "c": reason})


def test_equals_are_chosen_alike_in_any_order() -> None:
    alike = [_candidate(key) for key in "abc"]
    assert {pick_best(ROUTE, order)[0] for order in itertools.permutations(alike)} == {"c"}


def test_settled_facts_can_be_preferred() -> None:
    plain = Candidate("z", stack(**GOOD), {"contrast": ("non-enhanced",)})
    settled = Candidate("a", stack(**GOOD), {"contrast": ("enhanced",)})
    assert pick_best(ROUTE, [plain, settled])[0] == "a"


def test_one_is_picked_in_each_study_and_phase() -> None:
    phases = ["ARTERIAL", "arterial", "PORTAL VENOUS"]
    groups = by_phase([_candidate(str(k), ContrastBolusAgentPhase=phase) for k, phase in enumerate(phases)])
    assert [[one.key for one in group] for group in groups] == [["0", "1"], ["2"]]
