from __future__ import annotations

from typing import Any

import pytest

from dicom_node.errors import ConfigError
from dicom_node.routing import impossible_conditions, require_facts
from tests.routing.cases import config

ANSWERS = {"contrast": ("enhanced", "non-enhanced")}


@pytest.mark.parametrize("condition", ["enhancd", {"not": "enhancd"}, {"has": ["enhancd"]}, ["enhanced", "enhancd"]])
def test_a_word_that_a_gate_never_answers_is_named_with_the_nearest(condition: Any) -> None:
    (said,) = impossible_conditions(config({"when": {"contrast": condition}}), ANSWERS)
    assert said.startswith("route 'route0' asks for contrast = \"enhancd\"")
    assert said.endswith("did you mean 'enhanced'?")


def test_answers_uncertain_and_other_facts_are_possible() -> None:
    when = {"contrast": ["Enhanced", "uncertain"], "Modality": "whatever"}
    assert not list(impossible_conditions(config({"when": when}), ANSWERS))


@pytest.mark.parametrize(
    ("fact", "value", "said"),
    [
        ("contrast", "bananas", 'no contrast = "bananas": the gate answers enhanced, non-enhanced, uncertain'),
        ("colour", "blue", "'colour' is no fact: the gates' are contrast"),
        ("contrats", "enhanced", "did you mean 'contrast'"),
    ],
)
def test_a_person_settles_only_what_there_is(fact: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        require_facts(config(), ANSWERS, {fact: value})
    require_facts(config(), ANSWERS, {"contrast": "non-enhanced", "BodyPartExamined": "CHEST"})
