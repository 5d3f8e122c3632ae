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

NODA: Final = (
    "Noda et al., Pediatr Radiol 1997, 250: liver of children by CT, about 140 mL at birth to 1130 mL at 16 years"
)
VAUTHEY: Final = "Vauthey et al., Liver Transpl 2002, 233: adult liver from body surface, about 1000 to 2200 mL"
CHEONG: Final = "Cheong et al., Clin J Am Soc Nephrol 2007, 38: kidney 154 (33) mL in women, 202 (36) mL in men"
SCHOLBACH: Final = "Scholbach and Weitzel, Scientifica 2012, 949164: kidney volume by body surface from birth"
GRANTHAM: Final = "Grantham et al., N Engl J Med 2006, 2122: polycystic kidneys of several litres"
BODY_CT: Final = "every trunk has fat, and bone denser than 150 HU: the vertebrae"
KODAMA: Final = "Kodama et al., AJR 2007, 1307: liver down to about -10 HU in severe steatosis"
TEMMERMAN: Final = "Temmerman et al., Aliment Pharmacol Ther 2011, 702: polycystic livers of up to 10 L and more"
SITUS: Final = "the liver lies on the right but in situs inversus, 1 of about 10000"
SIDES: Final = "a kidney lies on its side of the spine but in crossed ectopia, 1 of about 1000"


def liver(liver_type: Code) -> Organ:
    """Return the bounds of the liver in CT."""
    return Organ(
        "liver",
        (liver_type,),
        "hounsfield",
        (
            *_trunk(),
            Bound("body", "mean_hu", HU, KODAMA, -60, 400),
            Bound("place", "body_share", OUTSIDE, ENCLOSED, low=0.9),
            Bound("place", "to_left", "lies on the left: mirrored images, or a patient so built", SITUS, high=0.15),
            Bound("shape", "height_mm", HEIGHT, NODA, 30, 450),
            Bound("shape", "depth_mm", DEPTH, NODA, 30, 400),
            Bound("shape", "breadth_mm", BREADTH, NODA, 40, 450),
            Bound("shape", "convexity", RAGGED, FOLDS, low=0.35),
            Bound("shape", "holes_share", HOLLOW, "tumours and vessels inside, at the most", high=0.6),
            Bound("shape", "volume_ml", SIZE, f"{NODA}; {TEMMERMAN}", 40, 15000),
            *by_age(
                {
                    (0, 1): (70, 600, NODA),
                    (1, 6): (200, 1000, NODA),
                    (6, 12): (350, 1600, NODA),
                    (12, 18): (550, 2400, NODA),
                    (18, 200): (700, 2800, VAUTHEY),
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
            Bound("shape", "length_mm", LENGTH, f"{CHEONG}; {GRANTHAM}", 15, 450),
            Bound("shape", "convexity", RAGGED, FOLDS, low=0.3),
            Bound("shape", "holes_share", HOLLOW, "pelvis and cysts inside, at the most", high=0.7),
            Bound("shape", "volume_ml", SIZE, f"{SCHOLBACH}; {GRANTHAM}", 2, 8000),
            *by_age(
                {
                    (0, 1): (8, 70, SCHOLBACH),
                    (1, 6): (20, 150, SCHOLBACH),
                    (6, 12): (35, 250, SCHOLBACH),
                    (12, 18): (50, 350, SCHOLBACH),
                    (18, 200): (60, 450, CHEONG),
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
