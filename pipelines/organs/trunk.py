"""Liver and kidneys in CT."""

from __future__ import annotations

from typing import Final

from dicom_node.pipeline import Bound, Code, Organ
from pipelines.headers import LEFT, RIGHT
from pipelines.organs.sentences import (
    BREADTH,
    DEPTH,
    ENCLOSED,
    FOLDS,
    HEIGHT,
    HOLLOW,
    HU,
    LENGTH,
    NO_BONE,
    NO_FAT,
    OUTSIDE,
    RAGGED,
    SIZE,
    by_age,
)

YANG: Final = (
    "Yang et al., Front Pediatr 2021, 629645: liver of 792 children by CT, median 139 mL in newborns, 1180 mL at 16 to "
    "18 years; the margin is ours"
)
JASPER: Final = "Jasper, J Clin Diagn Res 2019, TC01: liver of 100 adults by CT, 1281 (219) mL; the margin is ours"
SHIP: Final = (
    "J Clin Med 2024, 769 (SHIP-TREND): right kidney of 1815 adults by MR, median 138 mL in women, 174 mL in men; the "
    "margin is ours"
)
SCHOLBACH: Final = (
    "Scholbach and Weitzel, Scientifica 2012, 949164: kidney 45 to 85 mL for each square metre of body surface, from "
    "birth to adulthood; the margin is ours"
)
LARGEST_KIDNEY: Final = (
    "chosen by us: an adult's polycystic kidneys measure 1060 (642) mL together (Grantham et al., N Engl J Med 2006, "
    "2122); the upper end lies far above"
)
LARGEST_LIVER: Final = "chosen by us: a polycystic liver may fill the abdomen; the lower end is below a newborn's"
LIVER_EXTENT: Final = "chosen by us: from below a newborn's liver to the width of a large abdomen"
FATTY: Final = "chosen by us: below zero only where much of the liver is fat; above, any contrast phase"
BODY_CT: Final = "every trunk has fat, and bone denser than 150 HU: the vertebrae"
SITUS: Final = "the liver lies on the right but in situs inversus, which is rare"
SIDES: Final = "a kidney lies on its side of the spine but in crossed ectopia, which is rare"


def liver(liver_type: Code) -> Organ:
    """Return the bounds of the liver in CT."""
    return Organ(
        "liver",
        (liver_type,),
        "hounsfield",
        (
            *_trunk(),
            Bound("body", "mean_hu", HU, FATTY, -60, 400),
            Bound("place", "body_share", OUTSIDE, ENCLOSED, low=0.9),
            Bound("place", "to_left", "lies on the left: mirrored images, or a patient so built", SITUS, high=0.15),
            Bound("shape", "height_mm", HEIGHT, LIVER_EXTENT, 30, 450),
            Bound("shape", "depth_mm", DEPTH, LIVER_EXTENT, 30, 400),
            Bound("shape", "breadth_mm", BREADTH, LIVER_EXTENT, 40, 450),
            Bound("shape", "convexity", RAGGED, FOLDS, low=0.35),
            Bound("shape", "holes_share", HOLLOW, "tumours and vessels inside, at the most", high=0.6),
            Bound("shape", "volume_ml", SIZE, f"{YANG}; {LARGEST_LIVER}", 40, 15000),
            *by_age(
                {
                    (0, 1): (70, 600, YANG),
                    (1, 6): (200, 1000, YANG),
                    (6, 12): (350, 1600, YANG),
                    (12, 18): (550, 2400, YANG),
                    (18, 200): (700, 2800, JASPER),
                }
            ),
        ),
    )


def kidney(kidney_type: Code, *parts: Code) -> Organ:
    """Return the bounds of one kidney in CT, `parts` (its tumours) counted in."""
    return Organ(
        "kidney",
        (kidney_type, *parts),
        "hounsfield",
        (
            *_trunk(),
            Bound("body", "mean_hu", HU, "fat of an angiomyolipoma to the nephrographic phase", -120, 500),
            Bound("place", "body_share", OUTSIDE, ENCLOSED, low=0.9),
            Bound("place", "to_left", "lies on the left side of the body", SIDES, high=0.2, side=RIGHT),
            Bound("place", "to_left", "lies on the right side of the body", SIDES, low=-0.2, side=LEFT),
            Bound("shape", "length_mm", LENGTH, LARGEST_KIDNEY, 15, 450),
            Bound("shape", "convexity", RAGGED, FOLDS, low=0.3),
            Bound("shape", "holes_share", HOLLOW, "pelvis and cysts inside, at the most", high=0.7),
            Bound("shape", "volume_ml", SIZE, f"{SCHOLBACH}; {LARGEST_KIDNEY}", 2, 8000),
            *by_age(
                {
                    (0, 1): (8, 70, SCHOLBACH),
                    (1, 6): (20, 150, SCHOLBACH),
                    (6, 12): (35, 250, SCHOLBACH),
                    (12, 18): (50, 350, SCHOLBACH),
                    (18, 200): (60, 450, SHIP),
                }
            ),
        ),
    )


def _trunk() -> tuple[Bound, ...]:
    """Return what tells a patient's trunk from a phantom in CT."""
    return (
        Bound("body", "fat_share", NO_FAT, BODY_CT, low=0.005),
        Bound("body", "bone_share", NO_BONE, BODY_CT, low=0.002),
    )
