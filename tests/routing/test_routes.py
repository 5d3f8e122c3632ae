from __future__ import annotations

import json
from typing import Any

import pytest

from dicom_node.routing import Decision, GateAnswer, Run, gates_for
from tests.routing.cases import ENHANCED, config, decided, stack

SURE = GateAnswer("enhanced", 0.98, "9 of 9 slices")
NOT_ENHANCED = GateAnswer("non-enhanced", 0.9)
UNSURE = GateAnswer("uncertain", 0.5, claim="enhanced", claim_because="agent filled")
UNSURE_SILENT = GateAnswer("uncertain", 0.5)
CONTRADICTED = GateAnswer("non-enhanced", 0.9, claim="enhanced")
NO_WEIGHTS = GateAnswer(problem="not run: no weights", claim="enhanced")


@pytest.mark.parametrize(
    ("gate", "answer", "value", "verdict"),
    [
        ({}, SURE, "enhanced", "run"),
        ({}, NOT_ENHANCED, "non-enhanced", "nothing to run"),
        ({}, GateAnswer("enhanced", claim="Enhanced"), "enhanced", "run"),
        ({"on_disagreement": "pixels"}, CONTRADICTED, "non-enhanced", "nothing to run"),
        ({"on_disagreement": "header"}, CONTRADICTED, "enhanced", "run"),
        ({"on_disagreement": "hold"}, CONTRADICTED, "uncertain", "held"),
        ({"on_disagreement": "hold"}, SURE, "enhanced", "run"),
        ({"on_disagreement": "hold"}, GateAnswer("enhanced", claim="uncertain"), "enhanced", "run"),
        ({"on_uncertain": "header"}, UNSURE, "enhanced", "run"),
        ({"on_uncertain": "header"}, UNSURE_SILENT, "uncertain", "held"),
        ({"on_uncertain": "hold"}, UNSURE, "uncertain", "held"),
        ({"on_uncertain": "run"}, UNSURE_SILENT, "uncertain", "run"),
        ({"on_uncertain": "hold"}, NO_WEIGHTS, "uncertain", "held"),
        ({"on_uncertain": "header"}, NO_WEIGHTS, "enhanced", "run"),
    ],
)
def test_pixels_and_header_are_settled_by_the_gates_rules(
    gate: dict[str, str], answer: GateAnswer, value: str, verdict: str
) -> None:
    decision = decided(config({"when": ENHANCED}, gate=gate), answer=answer)
    assert (decision.gates[0].value, decision.verdict) == (value, verdict)


@pytest.mark.parametrize("answer", [UNSURE, CONTRADICTED, NO_WEIGHTS])
@pytest.mark.parametrize(("said", "verdict"), [("enhanced", "run"), ("non-enhanced", "nothing to run")])
def test_a_persons_word_ends_a_hold(answer: GateAnswer, said: str, verdict: str) -> None:
    settings = config({"when": ENHANCED}, gate={"on_disagreement": "hold"})
    assert decided(settings, answer=answer).verdict == "held"
    decision = decided(settings, answer=answer, overrides={"contrast": said})
    assert (decision.verdict, decision.gates[0].because) == (verdict, "a person settled it")


def test_a_person_may_settle_any_fact() -> None:
    settings = config({"when": {"BodyPartExamined": "LIVER"}})
    assert decided(settings, stack(BodyPartExamined="HEAD"), overrides={"BodyPartExamined": "LIVER"}).verdict == "run"


def test_an_uncertain_fact_holds_only_where_it_alone_is_missing() -> None:
    settings = config({"when": {**ENHANCED, "BodyPartExamined": "LIVER"}})
    assert decided(settings, answer=UNSURE).verdict == "nothing to run"
    assert decided(settings, stack(BodyPartExamined="LIVER"), UNSURE).verdict == "held"


def test_an_uncertain_fact_does_not_pass_for_its_opposite() -> None:
    assert decided(config({"when": {"contrast": {"not": "enhanced"}}}), answer=UNSURE).verdict == "held"


def test_a_route_may_ask_for_uncertain() -> None:
    settings = config({"when": {"contrast": ["enhanced", "uncertain"]}})
    assert decided(settings, answer=UNSURE).verdict == "run"


def test_what_does_not_hang_on_the_open_fact_is_listed_beside_the_hold() -> None:
    decision = decided(config({"when": ENHANCED}, {"when": {"Modality": "CT"}, "run": ["kidney"]}), answer=UNSURE)
    assert (decision.verdict, [run.pipeline for run in decision.runs]) == ("held", ["kidney"])
    assert decision.reason.startswith("held: route0 waits for a person to settle contrast (the pixels are uncertain")
    assert "agent filled" in decision.reason


def test_a_gate_that_did_not_apply_is_an_absent_fact() -> None:
    decision = decided(config({"when": ENHANCED}))
    assert (decision.verdict, decision.routes[0].alternatives[0][1].seen) == ("nothing to run", "absent")


def test_gates_apply_by_their_own_conditions() -> None:
    assert gates_for(config(), stack()) == ("contrast",)
    assert gates_for(config(), stack(Modality="MR")) == ()


def test_every_route_that_matches_runs_and_a_pipeline_runs_once() -> None:
    first = {"when": {"Modality": "CT"}, "send_to": ["pacs"], "priority": 6}
    second = {"when": {"kind": "volume"}, "run": ["liver", "kidney"], "send_to": ["research", "pacs"], "priority": 2}
    assert decided(config(first, second, {"when": {"Modality": "MR"}})).runs == (
        Run("liver", ("route0", "route1"), ("pacs", "research"), 2, ("SEG", "SR")),
        Run("kidney", ("route1",), ("research", "pacs"), 2, ("SEG", "SR")),
    )


def test_one_alternative_is_enough() -> None:
    when = [{"BodyPartExamined": "LIVER"}, {"BodyPartExamined": {"exists": False}, "SeriesDescription": "Abd"}]
    decision = decided(config({"when": when}), stack(SeriesDescription="ABD"))
    assert decision.verdict == "run"
    assert [[check.holds for check in checks] for checks in decision.routes[0].alternatives] == [[False], [True, True]]


def test_nothing_to_run_names_the_nearest_route_and_what_it_wants() -> None:
    far = {"when": {"Modality": "MR", "BodyPartExamined": "HEAD"}}
    near = {"when": {"Modality": "CT", "SliceThickness": {"max": 5}}}
    reason = decided(config(far, near), stack(SliceThickness=7.0)).reason
    assert reason == (
        "nothing to run, because no route matches; the nearest, route1, wants SliceThickness is at most 5 (seen: 7)"
    )


@pytest.mark.parametrize(
    ("facts", "overrides", "reason"),
    [
        ({"ours": "true"}, {}, "nothing to run, because our own result that came back"),
        ({"ours": "true"}, {"force": "yes"}, "nothing to run, because our own result that came back"),
        ({"kind": "non-image"}, {}, "nothing to run, because not an image"),
        ({"StudyDate": "20260214"}, {}, "the study is 15 days old, more than max_study_age_days = 14"),
        ({"StudyDate": "20260215"}, {}, "runs liver"),
        ({"StudyDate": "20200101"}, {"force": "yes"}, "runs liver"),
        ({"StudyDate": "20270101"}, {}, "runs liver"),
        ({"StudyDate": "unknown"}, {}, "runs liver"),
    ],
)
def test_what_is_ours_no_image_or_old_is_set_aside(
    facts: dict[str, Any], overrides: dict[str, str], reason: str
) -> None:
    assert reason in decided(config({"when": {"Modality": "CT"}}), stack(**facts), overrides=overrides).reason


def test_a_pipeline_that_declines_is_left_out_and_said() -> None:
    settings = config({"when": {"Modality": "CT"}, "run": ["liver", "kidney"]})
    decision = decided(settings, refusals={"liver": "too short", "gate": "no matter"})
    assert ([run.pipeline for run in decision.runs], decision.refusals) == (["kidney"], {"liver": "too short"})
    decision = decided(settings, refusals={"liver": "too short", "kidney": "too thick"})
    assert (decision.verdict, decision.reason) == (
        "refused",
        "refused, because liver declines: too short; kidney declines: too thick",
    )


def test_nobody_is_asked_about_a_stack_that_the_pipeline_declines_anyway() -> None:
    decision = decided(config({"when": ENHANCED}), answer=UNSURE, refusals={"liver": "too short"})
    assert (decision.verdict, decision.reason) == ("refused", "refused, because liver declines: too short")


def test_a_stack_passed_over_does_not_run_and_says_for_which() -> None:
    why = "not run, because series 3 (portal) was chosen"
    decision = decided(config({"when": {"Modality": "CT"}, "pick": "best"}), passed_over={"route0": why})
    assert (decision.verdict, decision.reason) == ("nothing to run", f"nothing to run, route0: {why}")


@pytest.mark.parametrize("answer", [SURE, UNSURE, NO_WEIGHTS, None])
def test_a_decision_survives_being_kept(answer: GateAnswer | None) -> None:
    decision = decided(config({"when": [ENHANCED, {"Rows": 1}]}), answer=answer, refusals={"liver": "too short"})
    assert Decision.from_json(json.loads(json.dumps(decision.to_json()))) == decision
