"""Sentences that several organs' bounds end in, and reasons that they share."""

from __future__ import annotations

from typing import Final

from dicom_node.pipeline import Bound

TISSUE: Final = (
    "grey and white matter, or fat and muscle, differ by a tenth and more in any weighting; a phantom's liquid does not"
)
ENCLOSED: Final = "the organ lies inside the body"
FOLDS: Final = "chosen by us: fissures and hili take less from the hull than this"
VOLUME: Final = "measures {value:.0f} mL; from {low:.0f} to {high:.0f} mL are usual at this age"
SIZE: Final = "measures {value:.0f} mL, which no such organ does: {low:.0f} to {high:.0f} mL are possible"
HEIGHT: Final = "is {value:.0f} mm high; {low:.0f} to {high:.0f} mm are possible"
DEPTH: Final = "is {value:.0f} mm from front to back; {low:.0f} to {high:.0f} mm are possible"
BREADTH: Final = "is {value:.0f} mm from side to side; {low:.0f} to {high:.0f} mm are possible"
LENGTH: Final = "is {value:.0f} mm long; {low:.0f} to {high:.0f} mm are possible"
RAGGED: Final = "is too ragged: it fills {value:.0%} of its own outline, at least {low:.0%} is possible"
HOLLOW: Final = "has holes: {value:.0%} of it is not marked, at most {high:.0%} is possible"
OUTSIDE: Final = "lies outside the body: only {value:.0%} is inside, at least {low:.0%} must be"
SAME: Final = (
    "is as even as a phantom: its tissue varies by {value:.1%} of its brightness, at least {low:.1%} in a patient"
)
NO_FAT: Final = "lies in no patient: {value:.1%} of the body is fat, at least {low:.1%} must be"
NO_BONE: Final = "lies in no patient: {value:.1%} of the body is bone, at least {low:.1%} must be"
HU: Final = "has {value:.0f} HU on average; {low:.0f} to {high:.0f} HU are possible"


def by_age(source_of: dict[tuple[float, float], tuple[float, float, str]]) -> tuple[Bound, ...]:
    """Return a bound for each age group: (from, below) in years -> (low, high) in mL and the source."""
    return tuple(
        Bound("volume", "volume_ml", VOLUME, source, low, high, from_years=since, below_years=below)
        for (since, below), (low, high, source) in source_of.items()
    )
