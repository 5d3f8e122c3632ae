"""How much one version of a SOP Instance differs from another."""

from __future__ import annotations

from enum import IntEnum


class Difference(IntEnum):
    """How one version differs from another, from the least to the most."""

    ENCODING = 0  # it says and shows the same
    HEADER = 1  # the same pixels in the same place
    GEOMETRY = 2  # the same pixels elsewhere, or meaning other values
    PIXELS = 3  # another picture, or one that cannot be compared
    UNKNOWN = 4  # whoever compared them died of it, or took too long, more than once


class UncomparedError(Exception):
    """Two versions are yet to be compared, by somebody who has the time."""
