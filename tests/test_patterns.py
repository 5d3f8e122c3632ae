from __future__ import annotations

import time

import pytest

from dicom_node.patterns import blanked, checked, matches_whole, replace, search


def test_a_match_is_found_anywhere_and_in_any_script() -> None:
    assert search(r"(?i)portal|복부|腹部", "CT 복부 5.0") == "복부"
    assert search(r"(?i)schädel", "SCHÄDEL nativ") == "SCHÄDEL"
    assert search(r"portal", "Portal") is None


def test_the_separators_of_descriptions_are_blanks() -> None:
    assert search(r"\bportal\b", blanked("CT_Abd-portal/5.0")) == "portal"


def test_a_whole_match_leaves_nothing_out() -> None:
    assert matches_whole(r"NO|NONE", "NONE")
    assert not matches_whole(r"NO|NONE", "NONE YET")


def test_every_match_is_replaced() -> None:
    assert replace(r"(?i)non ?con\w*", " ", "Non contrast, noncon") == " ,  "


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "not a regular expression"),
        ("(?<!non )contrast", "look-around"),
        (r"(a)\1", "not a regular expression of linear time"),
        (r"(?i)\pL{100}", "is slow"),
        ("(x{1000}){1000}", "not a regular expression of linear time"),
    ],
)
def test_a_pattern_that_cannot_be_searched_in_linear_time_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked(pattern)


@pytest.mark.parametrize("pattern", ["(?i)inspir.*expir", "(a+)+$", "(x+x+)+y", "(.*a){20}"])
def test_a_long_value_costs_no_more_than_its_kept_part(pattern: str) -> None:
    began = time.process_time()
    for part in ("inspir", "a", "x"):
        search(checked(pattern), part * 1_000_000 + "!")
    assert time.process_time() - began < 1  # back-tracking takes minutes to centuries
