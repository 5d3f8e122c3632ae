from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom_node.findings import Code, Measurement
from dicom_node.results.digits import round_for_reading
from dicom_node.results.encode import encode
from tests.results import builders
from tests.results.builders import only, request

MILLILITRE = Code("mL", "UCUM", "milliliter")
STATED = [
    ("mL", 1857.63491, 1857.6),
    ("mL", 0.043217, 0.043),
    ("mm", 12.3456, 12.3),
    ("mm2", 17689.4912, 17689.0),
    ("[hnsf'U]", -31.4159, -31.4),
    ("1", 0.87654321, 0.877),
    ("1", 0.99973, 0.9997),
    ("1", 0.00004321, 0.000043),
    ("1", 0.99999999, 1.0),
    ("1", 1.0, 1.0),
    ("1", 0.0, 0.0),
    ("1", 1.234567, 1.235),
    ("kg/m2", 23.45678, 23.46),
]


@pytest.mark.parametrize(("unit", "value", "stated"), STATED)
def test_a_number_has_the_digits_that_its_quantity_is_known_to(unit: str, value: float, stated: float) -> None:
    assert round_for_reading(value, Code(unit, "UCUM", unit)) == stated


def test_a_report_states_the_rounded_number_in_both_forms(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    volume = Measurement(Code("118565006", "SCT", "Volume"), float(np.pi) * 1000, MILLILITRE, "liver")
    report = only(encode(request(stack, builders.organs((6, 20, 24)), volume), tmp_path / "out"), "SR")
    (measured,) = [
        item.MeasuredValueSequence[0]
        for group in builders.measurement_groups(report)
        for item in group.ContentSequence
        if item.ValueType == "NUM"
    ]
    assert (str(measured.NumericValue), measured.FloatingPointValue) == ("3141.6", 3141.6)
