"""What anatomy allows of the organs that the models mark: one line for each bound, with its literature.

The bounds are wide on purpose: outside them lies no patient, or one in thousands. They are not fitted to any images.
A bound of `check` volume speaks of a rare organ and makes a remark; every other one speaks of a wrong one and refuses,
unless `[pipelines.NAME] on_implausible` says otherwise.
"""

from __future__ import annotations

from typing import Final

from dicom_node.pipeline import Bound, Code, Organ

HOWELLS: Final = (
    "W. W. Howells, Cranial Variation in Man, Peabody Museum 1973: skulls 165 to 205 mm long, 120 to 165 wide"
)
KISERUD: Final = "Kiserud et al., PLoS Med 2017, e1002220: biparietal diameter at 28 weeks 65 to 79 mm"
BEAUCHAMP: Final = "Beauchamp et al., PLoS One 2011, e24981: scalp to brain 5 to 20 mm from birth to adulthood"
HOLLAND: Final = "Holland et al., JAMA Neurol 2014, 1266: brain 341 mL at birth, 558 mL at 90 days"
KNICKMEYER: Final = (
    "Knickmeyer et al., J Neurosci 2008, 12176: the brain doubles in the first year, 15 % more in the second"
)
COURCHESNE: Final = "Courchesne et al., Radiology 2000, 672: a quarter more from early childhood to adolescence"
ALLEN: Final = "Allen et al., Am J Phys Anthropol 2002, 341: brain 975 to 1499 mL, here with the fluid around it"
NODA: Final = (
    "Noda et al., Pediatr Radiol 1997, 250: liver of children by CT, about 140 mL at birth to 1130 mL at 16 years"
)
VAUTHEY: Final = "Vauthey et al., Liver Transpl 2002, 233: adult liver from body surface, about 1000 to 2200 mL"
CHEONG: Final = "Cheong et al., Clin J Am Soc Nephrol 2007, 38: kidney 154 (33) mL in women, 202 (36) mL in men"
SCHOLBACH: Final = "Scholbach and Weitzel, Scientifica 2012, 949164: kidney volume by body surface from birth"
GRANTHAM: Final = "Grantham et al., N Engl J Med 2006, 2122: polycystic kidneys of several litres"
TISSUE: Final = (
    "grey and white matter, or fat and muscle, differ by a tenth and more in any weighting; a phantom's liquid does not"
)
ENCLOSED: Final = "the organ lies inside the body"
FOLDS: Final = "no series published: fissures and hili take less from the hull than this"
BODY_CT: Final = "every trunk has fat, and bone denser than 150 HU: the vertebrae"

_VOLUME: Final = "measures {value:.0f} mL; from {low:.0f} to {high:.0f} mL are usual at this age"
_SIZE: Final = "measures {value:.0f} mL, which no such organ does: {low:.0f} to {high:.0f} mL are possible"
_HEIGHT: Final = "is {value:.0f} mm high; {low:.0f} to {high:.0f} mm are possible"
_DEPTH: Final = "is {value:.0f} mm from front to back; {low:.0f} to {high:.0f} mm are possible"
_BREADTH: Final = "is {value:.0f} mm from side to side; {low:.0f} to {high:.0f} mm are possible"
_LENGTH: Final = "is {value:.0f} mm long; {low:.0f} to {high:.0f} mm are possible"
_RAGGED: Final = "is too ragged: it fills {value:.0%} of its own outline, at least {low:.0%} is possible"
_HOLLOW: Final = "has holes: {value:.0%} of it is not marked, at most {high:.0%} is possible"
_OUTSIDE: Final = "lies outside the body: only {value:.0%} is inside, at least {low:.0%} must be"
_SAME: Final = (
    "is as even as a phantom: its tissue varies by {value:.1%} of its brightness, at least {low:.1%} in a patient"
)
_NO_FAT: Final = "lies in no patient: {value:.1%} of the body is fat, at least {low:.1%} must be"
_NO_BONE: Final = "lies in no patient: {value:.1%} of the body is bone, at least {low:.1%} must be"
_HU: Final = "has {value:.0f} HU on average; {low:.0f} to {high:.0f} HU are possible"


def _ages(source_of: dict[tuple[float, float], tuple[float, float, str]]) -> tuple[Bound, ...]:
    """Return a bound for each age group: (from, below) in years -> (low, high) in mL and the literature."""
    return tuple(
        Bound("volume", "volume_ml", _VOLUME, source, low, high, from_years=since, below_years=below)
        for (since, below), (low, high, source) in source_of.items()
    )


def brain(brain_type: Code) -> Organ:
    """Return the bounds of the brain with the fluid around it, in MR."""
    return Organ(
        "brain",
        (brain_type,),
        "signal",
        (
            Bound("body", "texture", _SAME, TISSUE, low=0.01),
            Bound(
                "place",
                "face_share",
                "takes in the face: {value:.0%} of it lies below and in front, where tongue and floor of the mouth are",
                "the brain lies above the skull base; only the cerebellum hangs on a stalk, and behind",
                high=0.02,
            ),
            Bound(
                "place",
                "below_top_mm",
                "begins {value:.0f} mm below the top of the head; at most {high:.0f} mm are possible",
                BEAUCHAMP,
                high=45,
            ),
            Bound(
                "place",
                "cover_mm",
                "lies {value:.0f} mm under the surface of the head; at most {high:.0f} mm are possible",
                BEAUCHAMP,
                high=35,
            ),
            Bound("place", "body_share", _OUTSIDE, ENCLOSED, low=0.9),
            Bound("shape", "height_mm", _HEIGHT, HOWELLS, 40, 185),
            Bound("shape", "depth_mm", _DEPTH, HOWELLS, 50, 220),
            Bound("shape", "breadth_mm", _BREADTH, HOWELLS, 45, 200),
            Bound("shape", "depth_mm", _DEPTH, HOWELLS, 100, 220, from_years=10),
            Bound("shape", "breadth_mm", _BREADTH, HOWELLS, 80, 200, from_years=10),
            Bound("shape", "convexity", _RAGGED, FOLDS, low=0.7),
            Bound("shape", "holes_share", _HOLLOW, "the ventricles are marked with the brain", high=0.1),
            Bound("shape", "volume_ml", _SIZE, f"{KISERUD}; {ALLEN}", 120, 2800),
            *_ages(
                {
                    (0, 0.25): (200, 900, HOLLAND),
                    (0.25, 2): (400, 1600, KNICKMEYER),
                    (2, 10): (800, 1850, COURCHESNE),
                    (10, 200): (900, 1950, ALLEN),
                }
            ),
        ),
    )


def black_blood(segment_type: Code) -> Organ:
    """Return what can be said of a structure that the site names: it lies in a patient."""
    return Organ(
        "structure",
        (segment_type,),
        "signal",
        (
            Bound("place", "body_share", _OUTSIDE, ENCLOSED, low=0.8),
            Bound("body", "body_texture", _SAME, TISSUE, low=0.01),
        ),
    )
