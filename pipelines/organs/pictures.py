"""Lungs on radiographs, polyps in endoscopic pictures."""

from __future__ import annotations

from dicom_node.pipeline import Bound, Code, Organ
from pipelines.organs.sentences import FOLDS, HEIGHT, RAGGED


def lung(lung_type: Code) -> Organ:
    """Return the bounds of one lung on a frontal radiograph."""
    return Organ(
        "lung",
        (lung_type,),
        "film",
        (
            Bound(
                "body",
                "structure",
                "lies in no patient: {value:.0%} of the picture's contrast is coarser than its grain",
                "a flat field or a test pattern has nothing but grain; spine, heart and diaphragm are coarse",
                low=0.4,
            ),
            Bound(
                "body",
                "darkness",
                "is brighter than what surrounds it, which no lung is that lets through any X-rays",
                "a lung wholly opaque is at the most as bright as heart and chest wall",
                low=-0.75,
            ),
            Bound(
                "place",
                "slenderness",
                "is broader than high: the image lies on its side, or this is no lung",
                "a lung is higher than broad from birth on, on a frontal view",
                low=0.6,
            ),
            Bound("shape", "height_mm", HEIGHT, "films are 430 mm high at the most", 20, 450),
            Bound("shape", "convexity", RAGGED, FOLDS, low=0.5),
            Bound(
                "shape",
                "image_share",
                "takes {value:.1%} of the picture; {low:.1%} to {high:.0%} are possible",
                "both lungs and the heart share the picture",
                0.005,
                0.6,
            ),
            Bound(
                "volume",
                "image_share",
                "is small: {value:.1%} of the picture, usual are {low:.0%} and more",
                "after pneumonectomy, in collapse, or cut off",
                low=0.03,
            ),
        ),
    )


def polyp(polyp_type: Code) -> Organ:
    """Return the bounds of polyps in endoscopic pictures."""
    return Organ(
        "polyp",
        (polyp_type,),
        "colour",
        (
            Bound(
                "body",
                "colour",
                "lies in no mucosa: the picture has no colour",
                "mucosa is red in white light, green and brown in narrow bands",
                low=0.08,
            ),
            Bound(
                "place",
                "field_share",
                "lies on the black border: only {value:.0%} is in the endoscope's field",
                "what is black has not been seen",
                low=0.6,
            ),
            Bound(
                "shape",
                "image_share",
                "takes {value:.0%} of the picture; at most {high:.0%} is possible",
                "some of the wall stays in view",
                high=0.95,
            ),
        ),
    )
