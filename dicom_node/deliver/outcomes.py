"""What a C-STORE status means for an object's delivery (PS3.4 Table B.2-1, PS3.7 C)."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["stored", "retry", "unreached", "park"]
"""Done; to be tried again; not tried, for the peer's sake; not to be tried again before a person has looked."""

DUPLICATE = 0x0111  # the peer says that it has the object; only a query can confirm it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an object, and why."""

    outcome: Outcome
    meaning: str


VERDICTS = {
    0x0000: Verdict("stored", ""),
    0x0107: Verdict("stored", "warning: attribute list error"),
    0x0116: Verdict("stored", "warning: attribute value out of range"),
    0xB000: Verdict("stored", "warning: the peer changed elements"),
    0xB006: Verdict("stored", "warning: the peer left elements out"),
    0xB007: Verdict("stored", "warning: the data set does not match its SOP class"),
    0x0110: Verdict("retry", "processing failure at the peer"),
    DUPLICATE: Verdict("retry", "the peer says that it has the object, but a query does not find it"),
    0x0213: Verdict("retry", "the peer is out of resources"),
    0x0117: Verdict("park", "the peer takes the SOP Instance UID for invalid"),
    0x0122: Verdict("park", "the peer does not support the SOP class"),
    0x0124: Verdict("park", "we are not authorised at the peer"),
}
RANGES = (
    (range(0xA700, 0xA800), Verdict("retry", "the peer is out of resources")),
    (range(0xA900, 0xAA00), Verdict("park", "the peer says that the data set does not match its SOP class")),
    (range(0xC000, 0xD000), Verdict("park", "the peer cannot understand the object")),
)
_ANY_OTHER = Verdict("retry", "a status that the standard does not have for storage")


def judge(status: int) -> Verdict:
    """Return what a status means."""
    if status in VERDICTS:
        return VERDICTS[status]
    return next((verdict for statuses, verdict in RANGES if status in statuses), _ANY_OTHER)
