"""The brain, and structures of the head that a site names, in MR."""

from __future__ import annotations

from typing import Final

from dicom_node.pipeline import Bound, Code, Organ
from pipelines.organs.sentences import (
    BREADTH,
    DEPTH,
    ENCLOSED,
    FOLDS,
    HEIGHT,
    HOLLOW,
    OUTSIDE,
    RAGGED,
    SAME,
    SIZE,
    TISSUE,
    by_age,
)

EXTENT: Final = (
    "chosen by us: from the head of a child born at 28 weeks to a third more than adult skulls are long and broad"
)
ADULT_EXTENT: Final = "chosen by us: well below what adult skulls are long and broad"
SCALP: Final = (
    "chosen by us: twice what lies between scalp and brain of an adult; it doubles from birth to 12 years "
    "(Beauchamp et al., PLoS One 2011, e24981)"
)
SMALLEST: Final = "chosen by us: from the brain of a child born at 28 weeks to twice an adult's"
HOLLAND: Final = (
    "Holland et al., JAMA Neurol 2014, 1266: brain 341 mL at birth, 64 % more at 90 days; the margin is ours"
)
KNICKMEYER: Final = (
    "Knickmeyer et al., J Neurosci 2008, 12176: the brain grows by 101 % in the first year, by 15 % in the second; "
    "the margin is ours"
)
COURCHESNE: Final = (
    "Courchesne et al., Radiology 2000, 672: brain and intracranial space grow by a quarter from 2 to 14 years; "
    "the margin is ours"
)
ADULT: Final = "chosen by us: half to one and a half of an adult's brain with the fluid around it"


def brain(brain_type: Code) -> Organ:
    """Return the bounds of the brain with the fluid around it, in MR."""
    return Organ(
        "brain",
        (brain_type,),
        "signal",
        (
            Bound("body", "texture", SAME, TISSUE, low=0.01),
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
                SCALP,
                high=45,
            ),
            Bound(
                "place",
                "cover_mm",
                "lies {value:.0f} mm under the surface of the head; at most {high:.0f} mm are possible",
                SCALP,
                high=35,
            ),
            Bound("place", "body_share", OUTSIDE, ENCLOSED, low=0.9),
            Bound("shape", "height_mm", HEIGHT, EXTENT, 40, 185),
            Bound("shape", "depth_mm", DEPTH, EXTENT, 50, 220),
            Bound("shape", "breadth_mm", BREADTH, EXTENT, 45, 200),
            Bound("shape", "depth_mm", DEPTH, ADULT_EXTENT, 100, 220, from_years=10),
            Bound("shape", "breadth_mm", BREADTH, ADULT_EXTENT, 80, 200, from_years=10),
            Bound("shape", "convexity", RAGGED, FOLDS, low=0.7),
            Bound("shape", "holes_share", HOLLOW, "the ventricles are marked with the brain", high=0.1),
            Bound("shape", "volume_ml", SIZE, SMALLEST, 120, 2800),
            *by_age(
                {
                    (0, 0.25): (200, 900, HOLLAND),
                    (0.25, 2): (400, 1600, KNICKMEYER),
                    (2, 10): (800, 1850, COURCHESNE),
                    (10, 200): (900, 1950, ADULT),
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
            Bound("place", "body_share", OUTSIDE, ENCLOSED, low=0.8),
            Bound("body", "body_texture", SAME, TISSUE, low=0.01),
        ),
    )
