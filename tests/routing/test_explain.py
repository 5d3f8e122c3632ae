from __future__ import annotations

from rich.console import Console

from dicom_node.images import Stack
from dicom_node.routing import Decision, GateAnswer, render
from tests.routing.cases import ENHANCED, config, decided, stack


def _shown(decision: Decision, one: Stack, *, everything: bool = True) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        console.print(render(decision, one, everything=everything))
    return " ".join(capture.get().split())


def test_every_gate_route_condition_value_and_the_verdict_are_shown() -> None:
    one = stack(SeriesNumber=3.0, SeriesDescription="Abd [portal]", SliceThickness=7.0)
    answer = GateAnswer("uncertain", 0.51, "5 of 9 slices", "enhanced", "agent filled")
    settings = config({"when": ENHANCED}, {"when": {"SliceThickness": {"max": 5}}})
    shown = _shown(decided(settings, one, answer), one)
    for words in (
        "series 3, Abd [portal], CT, volume, 1 frame",
        "uncertain 0.51 (5 of 9 slices)",
        "the header says enhanced (agent filled)",
        "Route route0: waits",
        "Route route1: does not match",
        "is at most 5",
        "held: route0 waits for a person to settle contrast",
    ):
        assert words in shown


def test_runs_are_shown_with_what_they_give_and_where_it_goes() -> None:
    settings = config({"when": {"Modality": "CT"}, "send_to": ["pacs", "research"]})
    assert "liver │ route0 │ SEG, SR │ pacs, research │ 5" in _shown(decided(settings), stack())


def test_several_alternatives_are_numbered() -> None:
    settings = config({"when": [{"Modality": "CT"}, {"Modality": "MR"}]})
    assert "alternative 2" in _shown(decided(settings), stack())


def test_a_route_passed_over_says_why() -> None:
    settings = config({"when": {"Modality": "CT"}})
    assert "matches, series 3 was chosen" in _shown(
        decided(settings, passed_over={"route0": "series 3 was chosen"}), stack()
    )


def test_the_verdict_comes_first_and_then_only_what_decided_it() -> None:
    settings = config({"when": [{"Modality": "MR"}, {"Modality": "CT"}]}, {"when": {"Modality": "US"}})
    shown = _shown(decided(settings), stack(), everything=False)
    assert shown.index("runs liver (route route0)") < shown.index("Route route0: matches")
    assert "route1" not in shown
    assert "is MR" not in shown


def test_of_routes_that_do_not_match_only_the_nearest_is_shown() -> None:
    near = {"Modality": "CT", "kind": "volume", "SliceThickness": {"max": 5}}
    settings = config({"when": {"Modality": "US"}}, {"when": near})
    shown = _shown(decided(settings), stack(), everything=False)
    assert "the nearest, route1, wants SliceThickness is at most 5" in shown
    assert "Route route1: does not match" in shown
    assert "Route route0" not in shown
