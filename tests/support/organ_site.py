"""A site's own pipeline whose organ is bounded."""

from __future__ import annotations

from dicom_node.pipeline import Bound, Organ
from tests.support.stand_in import LUNG, StandIn

SHARE = "takes {value:.0%} of the picture; at most {high:.0%} is possible"


class SmallOrgan(StandIn):
    """Marks a square, and says that no such organ is as large."""

    name = "small_organ"

    def organs(self) -> tuple[Organ, ...]:
        bounds = (Bound("shape", "image_share", SHARE, "made up for the test", high=0.01),)
        return (Organ("middle", (LUNG,), "film", bounds),)
