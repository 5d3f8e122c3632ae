"""Does a fact meet a condition, and how to say it to a person."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from dicom_node.config import Condition, Conditions, Scalar
from dicom_node.images import Facts, FactValue
from dicom_node.patterns import blanked, search

ABSENT = "absent"
_SHOWN_VALUES = 6
_SAME = 1e-6  # of a number: 5.0000001 mm is at most 5


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """One condition on one fact, as it turned out."""

    fact: str
    wanted: str  # readable, e.g. "is one of ABDOMEN, LIVER"
    seen: str  # the values, or "absent"
    holds: bool


def check(fact: str, condition: Condition, facts: Facts) -> Checked:
    """Evaluate one condition.

    `not`, `lacks` and `exists = false` hold for an absent or empty fact; every other condition does not. Of several
    values any may meet a condition; `has` wants all it names among them, `lacks` none.
    """
    values = _present(facts.get(fact, ()))
    return Checked(fact, describe(condition), _shown(values), holds(condition, values))


def check_all(conditions: Conditions, facts: Facts) -> tuple[Checked, ...]:
    """Evaluate every condition, in the order of the file."""
    return tuple(check(fact, condition, facts) for fact, condition in conditions.items())


def holds(condition: Condition, values: Sequence[FactValue]) -> bool:
    """Say whether every key that the condition gives holds for the fact's values."""
    return all(_given(condition, key) is None or test(condition, values) for key, (test, _) in _KEYS.items())


def describe(condition: Condition) -> str:
    """Return the condition as the second half of a sentence: "is at least 3 and is at most 5"."""
    parts = [say(condition) for key, (_, say) in _KEYS.items() if _given(condition, key) is not None]
    return " and ".join(parts) or "is anything"


def equal(value: FactValue, wanted: Scalar) -> bool:
    """Compare as numbers where one side is a number and the other can be read as one, else trimmed and case-free."""
    if isinstance(wanted, bool):
        wanted = str(wanted)
    if isinstance(value, float) or isinstance(wanted, float):
        left, right = _number(value), _number(wanted)
        if left is not None and right is not None:
            return left == right
    return _text(value).casefold() == _text(wanted).casefold()


def found(pattern: str, value: FactValue) -> bool:
    r"""Search a value for a pattern: with `_ - . /` as blanks, with only `_` as a blank, and as it stands.

    As blanks, because "CT_Abdomen-Portal" is one word to `\b`, and `non ?con` is meant to find "non-con". The signs
    stay where a pattern asks for them, as `\bC ?-` does in "Thorax_C-". Inside `not`, all three make it stricter.
    """
    text = _text(value)
    forms = dict.fromkeys((blanked(text), text.replace("_", " "), text))
    return any(search(pattern, form) is not None for form in forms)


def _any_of(condition: Condition, values: Sequence[FactValue]) -> bool:
    return any(equal(value, wanted) for value in values for wanted in condition.any_of)


def _at_least(condition: Condition, values: Sequence[FactValue]) -> bool:
    least = _bound(condition.min)
    return any(number >= least or math.isclose(number, least, rel_tol=_SAME) for number in _numbers(values))


def _at_most(condition: Condition, values: Sequence[FactValue]) -> bool:
    most = _bound(condition.max)
    return any(number <= most or math.isclose(number, most, rel_tol=_SAME) for number in _numbers(values))


def _matches(condition: Condition, values: Sequence[FactValue]) -> bool:
    return any(found(condition.matches or "", value) for value in values)


def _has(condition: Condition, values: Sequence[FactValue]) -> bool:
    return all(any(equal(value, wanted) for value in values) for wanted in condition.has)


def _lacks(condition: Condition, values: Sequence[FactValue]) -> bool:
    return not any(equal(value, wanted) for value in values for wanted in condition.lacks)


def _exists(condition: Condition, values: Sequence[FactValue]) -> bool:
    return bool(values) is condition.exists


def _not(condition: Condition, values: Sequence[FactValue]) -> bool:
    return condition.not_ is not None and not (values and holds(condition.not_, values))


_Test = Callable[[Condition, Sequence[FactValue]], bool]
_Say = Callable[[Condition], str]
_KEYS: dict[str, tuple[_Test, _Say]] = {
    "any_of": (_any_of, lambda one: f"is {'one of ' if len(one.any_of) > 1 else ''}{_list(one.any_of)}"),
    "min": (_at_least, lambda one: f"is at least {_text(one.min)}"),
    "max": (_at_most, lambda one: f"is at most {_text(one.max)}"),
    "matches": (_matches, lambda one: f"matches {one.matches}"),
    "has": (_has, lambda one: f"has {_list(one.has)}"),
    "lacks": (_lacks, lambda one: f"lacks {_list(one.lacks)}"),
    "exists": (_exists, lambda one: "is present" if one.exists else "is absent"),
    "not_": (_not, lambda one: f"not ({describe(one.not_ or one)})"),
}
"""Each key of a condition: what it tests, and how it reads."""


def _given(condition: Condition, key: str) -> object:
    """Return the key's value, None where the condition does not give it."""
    value = getattr(condition, key)
    return None if value == () else value


def _present(values: Sequence[FactValue]) -> tuple[FactValue, ...]:
    return tuple(value for value in values if _text(value))


def _number(value: Scalar | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _numbers(values: Sequence[FactValue]) -> list[float]:
    return [number for value in values if (number := _number(value)) is not None]


def _bound(value: float | None) -> float:
    """Return the bound; a condition without one is met by no number."""
    return float("nan") if value is None else value


def _text(value: Scalar | None) -> str:
    """Return 5.0 as "5", and text without blanks around it."""
    return f"{value:.12g}" if isinstance(value, float) and not isinstance(value, bool) else str(value).strip()


def _list(values: Sequence[Scalar]) -> str:
    return ", ".join(_text(value) for value in values)


def _shown(values: Sequence[FactValue]) -> str:
    if len(values) <= _SHOWN_VALUES:
        return _list(values) or ABSENT
    return f"{_list(values[:_SHOWN_VALUES])} ... ({len(values)} values)"
