"""Whether what conditions ask for, and what a person settles, is a value that the fact can have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydicom.datadict import keyword_dict

from dicom_node.config import COMPUTED_FACTS, Condition, Conditions, Config
from dicom_node.config_words import did_you_mean
from dicom_node.errors import ConfigError
from dicom_node.images import KINDS, PLANES
from dicom_node.routing.conditions import found
from dicom_node.routing.gates import UNCERTAIN

Answers = Mapping[str, Sequence[str]]
"""Gate -> what it may answer beside "uncertain"."""
_CLOSED: Answers = {"kind": KINDS, "plane": PLANES, "ours": ("true",)}
"""Computed facts that have no other values than these."""


def impossible_conditions(config: Config, answers: Answers) -> Iterator[str]:
    """Yield a sentence for each word or pattern that a condition asks for, and that its fact never is.

    Such facts are those that gates answer, and computed ones of which every value is known.
    """
    for where, alternatives in _conditions(config):
        said = (
            f"{where} asks for {sentence}"
            for conditions in alternatives
            for fact in (_CLOSED.keys() | answers.keys()) & conditions.keys()
            for sentence in _never_met(fact, conditions[fact], answers)
        )
        yield from sorted(set(said))


def _never_met(fact: str, condition: Condition, answers: Answers) -> Iterator[str]:
    possible = _values(fact, answers)
    for word in _words(condition):
        if _folded(word) not in map(_folded, possible):
            yield _never(fact, word, answers)
    for pattern in _patterns(condition):
        if not any(found(pattern, value) for value in possible):
            yield f"{fact} that matches {pattern!r}: {_said(fact, answers)}"


def require_facts(config: Config, answers: Answers, facts: Mapping[str, str]) -> None:
    """Raise ConfigError unless each fact that a person settles is one that there is, with a value that it may have."""
    known = [*config.gates, *COMPUTED_FACTS, *keyword_dict]
    for fact, value in facts.items():
        if fact not in known:
            near = did_you_mean(fact, [*config.gates, *COMPUTED_FACTS])
            gates = f"the gates' are {', '.join(config.gates)}" if config.gates else "there are no gates"
            raise ConfigError(f"{fact!r} is no fact: {gates}, the others DICOM keywords{near}")
        if fact in (_CLOSED.keys() | answers.keys()) and _folded(value) not in map(_folded, _values(fact, answers)):
            raise ConfigError(f"there is no {_never(fact, value, answers)}")


def _conditions(config: Config) -> Iterator[tuple[str, Iterable[Conditions]]]:
    for route in config.routes:
        yield f"route {route.name!r}", (*route.when, route.prefer)
    for name, gate in config.gates.items():
        yield f"gates.{name}", gate.when


def _words(condition: Condition) -> Iterator[str]:
    yield from map(str, (*condition.any_of, *condition.has, *condition.lacks))
    if condition.not_ is not None:
        yield from _words(condition.not_)


def _patterns(condition: Condition) -> Iterator[str]:
    if condition.matches is not None:
        yield condition.matches
    if condition.not_ is not None:
        yield from _patterns(condition.not_)


def _values(fact: str, answers: Answers) -> Sequence[str]:
    return (*answers[fact], UNCERTAIN) if fact in answers else _CLOSED[fact]


def _said(fact: str, answers: Answers) -> str:
    return f"{'the gate answers' if fact in answers else 'it is one of'} {', '.join(_values(fact, answers))}"


def _never(fact: str, word: str, answers: Answers) -> str:
    return f'{fact} = "{word}": {_said(fact, answers)}{did_you_mean(word, _values(fact, answers))}'


def _folded(word: str) -> str:
    return word.strip().casefold()
