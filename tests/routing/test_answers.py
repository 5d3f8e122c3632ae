from __future__ import annotations

from typing import Any

import pytest

from dicom_node.errors import ConfigError
from dicom_node.images import KINDS, PLANES
from dicom_node.imaging.geometry import _PLANES
from dicom_node.imaging.kinds import _BY_DESCRIPTION, _BY_IMAGE_TYPE, _KIND_BY_SOP_CLASS
from dicom_node.routing import impossible_conditions, require_facts
from tests.routing.cases import config

ANSWERS = {"contrast": ("enhanced", "non-enhanced")}


@pytest.mark.parametrize("condition", ["enhancd", {"not": "enhancd"}, {"has": ["enhancd"]}, ["enhanced", "enhancd"]])
def test_a_word_that_a_gate_never_answers_is_named_with_the_nearest(condition: Any) -> None:
    (said,) = impossible_conditions(config({"when": {"contrast": condition}}), ANSWERS)
    assert said.startswith("route 'route0' asks for contrast = \"enhancd\"")
    assert said.endswith("did you mean 'enhanced'?")


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"kind": "volum"}, 'kind = "volum": it is one of volume, radiograph, photo'),
        ({"kind": ["volume", "photograph"]}, "did you mean 'photo'?"),
        ({"kind": {"not": "scout"}}, 'kind = "scout"'),
        (
            {"plane": "axail"},
            "plane = \"axail\": it is one of axial, coronal, sagittal, oblique; did you mean 'axial'",
        ),
        ({"plane": {"matches": "^ax$"}}, "plane that matches '^ax$': it is one of axial"),
        ({"contrast": {"matches": "^enhacned"}}, "contrast that matches '^enhacned': the gate answers enhanced"),
    ],
)
def test_a_value_that_no_stack_ever_has_is_named_with_all_that_there_are(when: dict[str, Any], said: str) -> None:
    (sentence,) = impossible_conditions(config({"when": when}), ANSWERS)
    assert said in sentence


def test_every_kind_and_plane_that_an_image_can_have_is_known() -> None:
    kinds = {*_KIND_BY_SOP_CLASS.values(), *(kind for kind, _ in (*_BY_IMAGE_TYPE, *_BY_DESCRIPTION))}
    assert kinds == set(KINDS)
    assert {*_PLANES, "oblique"} == set(PLANES)


def test_answers_uncertain_and_other_facts_are_possible() -> None:
    when = {"contrast": ["Enhanced", "uncertain"], "Modality": "whatever"}
    assert not list(impossible_conditions(config({"when": when}), ANSWERS))


@pytest.mark.parametrize(
    ("fact", "value", "said"),
    [
        ("contrast", "bananas", 'no contrast = "bananas": the gate answers enhanced, non-enhanced, uncertain'),
        ("colour", "blue", "'colour' is no fact: the gates' are contrast"),
        ("contrats", "enhanced", "did you mean 'contrast'"),
        ("kind", "volum", 'no kind = "volum": it is one of volume, .* did you mean .volume'),
    ],
)
def test_a_person_settles_only_what_there_is(fact: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        require_facts(config(), ANSWERS, {fact: value})
    require_facts(config(), ANSWERS, {"contrast": "non-enhanced", "BodyPartExamined": "CHEST"})
