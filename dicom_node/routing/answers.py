"""Whether what conditions ask of a gate, and what a person settles, is something that the gate can answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydicom.datadict import keyword_dict

from dicom_node.config import COMPUTED_FACTS, Condition, Conditions, Config
from dicom_node.config_words import did_you_mean
from dicom_node.errors import ConfigError
from dicom_node.routing.gates import UNCERTAIN

Answers = Mapping[str, Sequence[str]]
"""Gate -> what it may answer beside "uncertain"."""


def impossible_conditions(config: Config, answers: Answers) -> Iterator[str]:
    """Yield a sentence for each word that a condition on a gate's fact asks for, and that the gate never answers."""
    for where, alternatives in _conditions(config):
        said = (
            f"{where} asks for {_never(gate, word, answers)}"
            for conditions in alternatives
            for gate in answers.keys() & conditions.keys()
            for word in _words(conditions[gate])
            if _folded(word) not in _possible(gate, answers)
        )
        yield from dict.fromkeys(said)


def require_facts(config: Config, answers: Answers, facts: Mapping[str, str]) -> None:
    """Raise ConfigError unless each fact that a person settles is one that there is, with a value that it may have."""
    known = [*config.gates, *COMPUTED_FACTS, *keyword_dict]
    for fact, value in facts.items():
        if fact not in known:
            near = did_you_mean(fact, [*config.gates, *COMPUTED_FACTS])
            gates = f"the gates' are {', '.join(config.gates)}" if config.gates else "there are no gates"
            raise ConfigError(f"{fact!r} is no fact: {gates}, the others DICOM keywords{near}")
        if fact in answers and _folded(value) not in _possible(fact, answers):
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


def _possible(gate: str, answers: Answers) -> list[str]:
    return [_folded(word) for word in (*answers[gate], UNCERTAIN)]


def _never(gate: str, word: str, answers: Answers) -> str:
    words = [*answers[gate], UNCERTAIN]
    return f'{gate} = "{word}": the gate answers {", ".join(words)}{did_you_mean(word, words)}'


def _folded(word: str) -> str:
    return word.strip().casefold()
