"""What anatomy allows of the organs that the models mark: a line and its source for each bound.

The bounds are wide on purpose: outside them lies no patient, or one in thousands. They are not fitted to any images.
A bound of `check` volume speaks of a rare organ and makes a remark; every other one speaks of a wrong one and refuses,
unless `[pipelines.NAME] on_implausible` says otherwise.
"""

from pipelines.organs.head import black_blood, brain
from pipelines.organs.pictures import lung, polyp
from pipelines.organs.trunk import kidney, liver

__all__ = ["black_blood", "brain", "kidney", "liver", "lung", "polyp"]
