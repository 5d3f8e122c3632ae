from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from dicom_node.config import Conditions
from dicom_node.images import FactValue
from dicom_node.routing import Checked, check_all

ABSENT: tuple[FactValue, ...] = ()
BOTH = ("ORIGINAL", "AXIAL")
NON_CONTRAST = r"(?i)\bC ?-|non ?con|unenh|plain|\bpre\b"
CONTRAST = r"(?i)\bC ?\+|\bCE\b|contrast|arter|portal|venous|delay|nephro"


def _checked(condition: Any, values: tuple[FactValue, ...]) -> Checked:
    conditions = TypeAdapter(Conditions).validate_python({"Fact": condition})
    (checked,) = check_all(conditions, {"Fact": values} if values else {})
    return checked


@pytest.mark.parametrize(
    ("condition", "values", "holds"),
    [
        ("CT", ("CT",), True),
        ("ct", (" CT ",), True),
        ("CT", ("MR",), False),
        ("CT", ABSENT, False),
        ("AXIAL", BOTH, True),
        (["ABDOMEN", "LIVER"], ("liver",), True),
        (["ABDOMEN", "LIVER"], ABSENT, False),
        (5, (5.0,), True),
        (5, ("5.00",), True),
        ("5", (5.0,), True),
        ("05", ("5",), False),
        (True, ("TRUE",), True),
        (False, ("true",), False),
        ({"min": 1, "max": 5}, (5.0,), True),
        ({"max": 5}, (5.1,), False),
        ({"max": 5}, (5.000001,), True),
        ({"min": 60}, (59.99999999,), True),
        ({"min": 3}, (1.0, 4.0), True),
        ({"min": 3}, ABSENT, False),
        ({"max": 5}, ABSENT, False),
        ({"max": 5}, ("thin",), False),
        ({"matches": "(?i)portal"}, ("Abd Portal 5.0",), True),
        ({"matches": "portal"}, ("PORTAL",), False),
        ({"matches": "x"}, ABSENT, False),
        ({"matches": ""}, ABSENT, False),
        ({"matches": "^3$"}, (3.0,), True),
        ({"has": ["ORIGINAL", "AXIAL"]}, BOTH, True),
        ({"has": ["ORIGINAL", "MIP"]}, BOTH, False),
        ({"has": "ORIGINAL"}, ABSENT, False),
        ({"lacks": ["MIP", "VRT"]}, BOTH, True),
        ({"lacks": ["MIP", "axial"]}, BOTH, False),
        ({"lacks": "MIP"}, ABSENT, True),
        ({"exists": True}, BOTH, True),
        ({"exists": True}, ABSENT, False),
        ({"exists": True}, (" ",), False),
        ({"exists": False}, ABSENT, True),
        ({"exists": False}, (" ",), True),
        ({"exists": False}, BOTH, False),
        ({"not": "HEAD"}, ("CHEST",), True),
        ({"not": ["HEAD", "NECK"]}, ("neck",), False),
        ({"not": "HEAD"}, ABSENT, True),
        ({"not": {"matches": "(?i)mip"}}, ("Abd", "MIP cor"), False),
        ({"not": {"exists": True}}, ABSENT, True),
        ({"not": {"lacks": "MIP"}}, ABSENT, True),
        ({"not": {"not": "HEAD"}}, ("HEAD",), True),
        ({"lacks": "MIP", "min": 3}, ABSENT, False),
        ({"matches": "(?i)abd", "not": {"matches": "(?i)scout"}}, ("Abd scout",), False),
    ],
)
def test_a_condition_holds_as_the_rules_say(condition: Any, values: tuple[FactValue, ...], holds: bool) -> None:
    assert _checked(condition, values).holds is holds


@pytest.mark.parametrize(
    ("pattern", "value", "holds"),
    [
        (r"(?i)\bportal\b", "CT_Abdomen-portal_5.0", True),
        (r"(?i)\b[ct]ap\b", "CT/CAP", True),
        (NON_CONTRAST, "Thorax C- 1.0", True),
        (NON_CONTRAST, "Thorax_C-_1.0", True),
        (NON_CONTRAST, "ABD non-con", True),
        (NON_CONTRAST, "Thorax C+ 1.0", False),
        (CONTRAST, "Thorax C+ 1.0", True),
        (CONTRAST, "Thorax_CE", True),
        (CONTRAST, "CERVICAL", False),
        (r"(?i)dose (report|info)", "Dose-Report", True),
        (r"(?i)\bm(in)?ip\b|\bvrt?\b", "Abd_MIP_cor", True),
        (r"(?i)a\+p", "C+A+P", True),
        (r"(?i)복부|腹部", "복부 CT", True),
        (r"(?i)fl3d\d?r", "*fl3d1r_tof", True),
        (r"^(B[5-9]\d|Br[5-9]\d|Bl\d\d|I[5-9]\d)", "Br59d", True),
        (r"^(B[5-9]\d|Br[5-9]\d|Bl\d\d|I[5-9]\d)", "br59d", False),
    ],
)
def test_separators_in_a_value_count_as_blanks_and_as_themselves(pattern: str, value: str, holds: bool) -> None:
    assert _checked({"matches": pattern}, (value,)).holds is holds


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("CT", "is CT"),
        (["ABDOMEN", "LIVER"], "is one of ABDOMEN, LIVER"),
        ({"min": 0.5, "max": 5}, "is at least 0.5 and is at most 5"),
        ({"lacks": ["MIP", "VRT"]}, "lacks MIP, VRT"),
        ({"has": "AXIAL"}, "has AXIAL"),
        ({"exists": False}, "is absent"),
        ({"matches": "portal", "not": {"matches": "mip"}}, "matches portal and not (matches mip)"),
        ({}, "is anything"),
    ],
)
def test_a_condition_can_be_read(condition: Any, wanted: str) -> None:
    assert _checked(condition, BOTH).wanted == wanted


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (ABSENT, "absent"),
        (("  ",), "absent"),
        ((2.5, "x"), "2.5, x"),
        ((20260301.0,), "20260301"),
        (tuple(float(k) for k in range(9)), "0, 1, 2, 3, 4, 5 ... (9 values)"),
    ],
)
def test_what_was_seen_can_be_read(values: tuple[FactValue, ...], seen: str) -> None:
    assert _checked("x", values).seen == seen
