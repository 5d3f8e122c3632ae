"""What a CT header says about contrast enhancement, and whether it can be believed.

A header often carries a filled agent on the series before the injection too, a placeholder, or an oral agent. So only
these count: an intravenous agent, route, volume or start time for *enhanced*; an outright statement for *non-enhanced*.
An absent, empty or meaningless attribute says nothing, and a header that says both says nothing.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from dicom_node.pipeline import Stack, blanked, matches_whole, replace, search
from pipelines.headers import texts

ENHANCED_PATTERN: Final = r"(?i)\bC ?\+|\bCE\b|contrast|\barter(ial)?\b|portal|venous|delay|nephro"
NON_ENHANCED_PATTERN: Final = (
    r"(?i)\bC ?-(\W|$)|\bnon ?con\w*|\bunenh\w*|\bplain\b|\bpre( ?contrast)?\b"
    r"|\b(without|w ?o|no)( iv)? (contrast|c)\b"
)
IGNORED_PATTERN: Final = r"(?i)\bvirtual (non ?con|unenh)\w*|(oral|rectal) contrast"

_NONE: Final = r"NONE|NO|NIL|NO CONTRAST|WITHOUT( CONTRAST)?|W O( CONTRAST)?|NON ?CONTRAST|UNENHANCED|NATIVE"
_PLACEHOLDER: Final = r"N ?A|NOT APPLICABLE|UNK|UNKNOWN|OTHER|ANON\w*|REMOVED|X+|NULL|TEST|FALSE"
_INTRAVENOUS: Final = r"\b(I ?V|INTRAVEN\w*|I ?A|INTRAART\w*|INTRAVASC\w*)\b"
_ENTERAL: Final = r"\b(ORAL\w*|PO|PER ?OS|RECTAL\w*|ENEMA|BARIUM|GASTRO\w*|WATER|MILK|AIR)\b"
_WORD: Final = r"\pL{2}"


@dataclasses.dataclass(frozen=True, slots=True)
class Patterns:
    """How a SeriesDescription is read, `_ . /` being blanks."""

    enhanced: str = ENHANCED_PATTERN
    non_enhanced: str = NON_ENHANCED_PATTERN
    ignored: str = IGNORED_PATTERN  # taken out before the other two look


def read_claim(stack: Stack, patterns: Patterns) -> tuple[str, str]:
    """Return ("enhanced" | "non-enhanced" | "", why)."""
    said_non, said_enhanced = _described(stack, patterns)
    agents, none = _agents(stack)
    evidence = [*said_enhanced, *agents, *_route(stack), *_volume(stack), *_started(stack)]
    denial = [*said_non, *none]
    if evidence and denial:
        return "", f"the header contradicts itself: {'; '.join(evidence)}, but {'; '.join(denial)}"
    if evidence:
        return "enhanced", "; ".join(evidence)
    if denial:
        return "non-enhanced", "; ".join(denial)
    return "", _silence(stack)


def _described(stack: Stack, patterns: Patterns) -> tuple[list[str], list[str]]:
    """Return what the description says: non-enhanced, enhanced.

    Separators count as blanks, but `C-` needs its hyphen, so the pattern for non-enhanced sees a second reading. What
    it matches is taken out before the other pattern looks: "non contrast" holds the word contrast.
    """
    for text in texts(stack, "SeriesDescription"):
        readings = [replace(patterns.ignored, " ", reading) for reading in (_with_hyphens(text), blanked(text))]
        denied = [reading for reading in readings if search(patterns.non_enhanced, reading)]
        rest = [replace(patterns.non_enhanced, " ", reading) for reading in readings]
        claimed = all(search(patterns.enhanced, reading) for reading in rest)
        quoted = f"SeriesDescription {text!r}"
        return ([quoted] if denied else []), ([quoted] if claimed else [])
    return [], []


def _with_hyphens(text: str) -> str:
    return "-".join(map(blanked, text.split("-")))


def _agents(stack: Stack) -> tuple[list[str], list[str]]:
    """Return the intravenous agents, and the statements that there was none."""
    given, none = [], []
    for keyword in ("ContrastBolusAgent", "ContrastBolusAgentSequence"):
        for text in texts(stack, keyword):
            words = " ".join(blanked(text).split())
            quoted = f"{keyword} {text!r}"
            if matches_whole(_NONE, words):
                none.append(quoted)
            elif _said(words) and not _enteral(stack, words) and not _started_later(stack):
                given.append(quoted)
    return given, none


def _enteral(stack: Stack, words: str) -> bool:
    """Tell whether the agent went into the gut only, by its own words or by the route."""
    if search(_INTRAVENOUS, words):
        return False
    return bool(search(_ENTERAL, words)) or (bool(_routes(stack)) and not _intravenous_routes(stack))


def _routes(stack: Stack) -> list[str]:
    keywords = ("ContrastBolusRoute", "ContrastBolusAdministrationRouteSequence")
    return [blanked(text) for keyword in keywords for text in texts(stack, keyword) if _said(text)]


def _said(text: str) -> bool:
    """Tell whether a text names anything: not a placeholder, a single letter, digits or punctuation."""
    return bool(search(_WORD, text)) and not matches_whole(_PLACEHOLDER, blanked(text).strip())


def _intravenous_routes(stack: Stack) -> list[str]:
    return [route for route in _routes(stack) if search(_INTRAVENOUS, route)]


def _route(stack: Stack) -> list[str]:
    return [f"ContrastBolusRoute {route!r}" for route in _intravenous_routes(stack) if not _started_later(stack)]


def _volume(stack: Stack) -> list[str]:
    """Return the volume given, unless its route or its agent was not a vessel."""
    volume = stack.number("ContrastBolusVolume")
    agents = [blanked(text) for text in texts(stack, "ContrastBolusAgent") if _said(text)]
    elsewhere = (_routes(stack) and not _intravenous_routes(stack)) or (
        agents and all(_enteral(stack, words) for words in agents)
    )
    if volume is None or volume <= 0 or elsewhere or _started_later(stack):
        return []
    return [f"ContrastBolusVolume {volume:g} mL"]


def _started(stack: Stack) -> list[str]:
    begin, acquired = _times(stack)
    return ["ContrastBolusStartTime is before AcquisitionTime"] if begin and acquired and begin < acquired else []


def _started_later(stack: Stack) -> bool:
    """Tell whether the bolus began only after this acquisition."""
    begin, acquired = _times(stack)
    return bool(begin and acquired and begin > acquired)


def _times(stack: Stack) -> tuple[str, str]:
    """Return the earliest start of the bolus and of the acquisition as comparable digits, "" where absent."""
    found = []
    for keyword in ("ContrastBolusStartTime", "AcquisitionTime"):
        digits = ["".join(filter(str.isdigit, text)) for text in texts(stack, keyword)]
        found.append(min((one.ljust(12, "0") for one in digits if len(one) >= 4), default=""))
    return found[0], found[1]


def _silence(stack: Stack) -> str:
    agents = texts(stack, "ContrastBolusAgent")
    if not agents:
        return "ContrastBolusAgent is absent or empty, and nothing else speaks of contrast"
    if _started_later(stack):
        return f"ContrastBolusAgent is {agents[0]!r}, but the bolus started after this acquisition"
    return f"ContrastBolusAgent {agents[0]!r} names no intravenous agent"
