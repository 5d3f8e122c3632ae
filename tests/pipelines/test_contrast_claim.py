from __future__ import annotations

from typing import Any

import pytest

from pipelines.contrast_ct import ContrastCT
from tests.pipelines.support import stack


def claim(**facts: Any) -> str:
    return ContrastCT().claim(stack(Modality="CT", **facts))[0]


@pytest.mark.parametrize(
    "agent", ["OMNIPAQUE 350", "Iohexol", "ULTRAVIST", "IV CONTRAST", "80CC OMNI", "APPLIED", "ORAL & IV"]
)
def test_a_named_agent_claims_enhanced(agent: str) -> None:
    assert claim(ContrastBolusAgent=agent) == "enhanced"


@pytest.mark.parametrize("agent", ["", "&", "O", "-", "N", "n/a", "N.A.", "UNKNOWN", "350", "ORAL", "Water", "XXX"])
def test_a_junk_or_oral_agent_claims_nothing(agent: str) -> None:
    assert claim(ContrastBolusAgent=agent) == ""


@pytest.mark.parametrize("agent", ["NONE", "No", "no contrast", "W/O"])
def test_an_agent_that_denies_contrast_claims_non_enhanced(agent: str) -> None:
    assert claim(ContrastBolusAgent=agent) == "non-enhanced"


def test_an_absent_agent_claims_nothing_and_says_so() -> None:
    value, reason = ContrastCT().claim(stack(Modality="CT"))
    assert (value, "absent" in reason) == ("", True)


@pytest.mark.parametrize(
    "facts",
    [
        {"ContrastBolusAgentSequence": "Iohexol"},
        {"ContrastBolusRoute": "IV"},
        {"ContrastBolusRoute": "Intravenous route"},
        {"ContrastBolusVolume": 90.0},
        {"ContrastBolusStartTime": "101500", "AcquisitionTime": "101612.5"},
    ],
)
def test_sequence_route_volume_and_start_claim_enhanced(facts: dict[str, Any]) -> None:
    assert claim(**facts) == "enhanced"


@pytest.mark.parametrize(
    "facts",
    [
        {"ContrastBolusRoute": "ORAL"},
        {"ContrastBolusAgent": "OMNIPAQUE", "ContrastBolusRoute": "ORAL"},
        {"ContrastBolusAgent": "ORAL", "ContrastBolusVolume": 500},
        {"ContrastBolusVolume": 0},
        {"ContrastBolusStartTime": "101500", "AcquisitionTime": "101400"},
        {"ContrastBolusAgent": "OMNIPAQUE", "ContrastBolusStartTime": "101500", "AcquisitionTime": "101400"},
    ],
)
def test_oral_empty_or_later_contrast_claims_nothing(facts: dict[str, Any]) -> None:
    assert claim(**facts) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CHEST C+", "enhanced"),
        ("THORAX_C+_5mm", "enhanced"),
        ("Abd portal venous 3.0", "enhanced"),
        ("CE Thorax", "enhanced"),
        ("CHEST W CONTRAST", "enhanced"),
        ("CHEST C-", "non-enhanced"),
        ("THORAX_C-_5mm", "non-enhanced"),
        ("Chest non contrast", "non-enhanced"),
        ("NON-CON CHEST", "non-enhanced"),
        ("chest w/o contrast", "non-enhanced"),
        ("CT chest without IV contrast", "non-enhanced"),
        ("PRE", "non-enhanced"),
        ("Unenhanced 5.0", "non-enhanced"),
        ("C-SPINE 2.0", ""),
        ("ORAL CONTRAST ONLY", ""),
        ("Virtual non contrast", ""),
        ("CORONARY ARTERY", ""),
        ("PRESSURE", ""),
        ("CHEST 5.0 B30f", ""),
        ("PRE AND POST CONTRAST", ""),
    ],
)
def test_the_series_description_claims_what_it_says(text: str, expected: str) -> None:
    assert claim(SeriesDescription=text) == expected


def test_a_filled_agent_on_a_series_called_non_contrast_claims_nothing() -> None:
    value, reason = ContrastCT().claim(stack(ContrastBolusAgent="ULTRAVIST 370", SeriesDescription="CHEST NON CON 5.0"))
    assert value == ""
    assert "contradicts itself" in reason


def test_a_site_can_bring_its_own_pattern() -> None:
    site = ContrastCT({"enhanced_pattern": "(?i)mit KM"})
    assert site.claim(stack(SeriesDescription="Thorax_mit_KM"))[0] == "enhanced"


def test_a_pattern_that_does_not_compile_is_refused() -> None:
    with pytest.raises(ValueError, match="not a regular expression"):
        ContrastCT({"enhanced_pattern": "("})
