"""How many digits a report gives of a number: as many as the quantity is known to, and no more."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dicom_node.findings import Code

_DECIMALS: Mapping[str, int] = {  # by UCUM code: what a change of the outline by a pixel or two leaves unchanged
    "mL": 1,
    "cm3": 1,
    "mm": 1,
    "cm": 2,
    "mm2": 0,
    "[hnsf'U]": 1,
    "{pixels}": 0,
    "%": 1,
    "1": 3,
}
_LEAST_SIGNIFICANT = 2  # digits, also of a number that is smaller than its unit's last decimal
_OF_OTHERS = 4  # significant digits, of a unit that is not listed
_SHARE, _MOST_DECIMALS = "1", 6


def round_for_reading(value: float, unit: Code) -> float:
    """Return the number that a report states; a share that is neither 0 nor 1 is not stated as either."""
    if not math.isfinite(value):
        return float(value)
    return float(round(value, _decimals(value, unit)))


def write_for_reading(value: float, unit: Code) -> str:
    """Return the number that a report states as text, with all of its decimals; a whole one without a unit has none."""
    if unit.value == _SHARE and value == int(value):
        return f"{value:.0f}"
    return f"{round_for_reading(value, unit):.{max(0, _decimals(value, unit))}f}"


def _decimals(value: float, unit: Code) -> int:
    """Return how many decimals of a number are known; below 0, as many places before the full stop are not."""
    if not value or not math.isfinite(value):
        return _DECIMALS.get(unit.value, 0)
    magnitude = math.floor(math.log10(abs(value)))
    least = _LEAST_SIGNIFICANT if unit.value in _DECIMALS else _OF_OTHERS
    decimals = max(_DECIMALS.get(unit.value, -magnitude), least - 1 - magnitude)
    if unit.value == _SHARE and 0 < value < 1:
        while decimals < _MOST_DECIMALS and round(value, decimals) in (0, 1):
            decimals += 1
    return decimals
