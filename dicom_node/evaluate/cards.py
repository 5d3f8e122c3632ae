"""What of a weights entry's card decides how a mask is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

CLASSES_KEY: Final = "classes"  # names in the order of the pixel values 1, 2 ...
IGNORE_KEY: Final = "ignore"  # the pixel value of what is not known


def classes_of(card: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the pixel values 1, 2 ...; none where the card lists none."""
    return tuple(str(name) for name in card.get(CLASSES_KEY, ()))


def ignored_by(card: Mapping[str, Any]) -> int | None:
    """Return the pixel value that is left out, if the card names one."""
    value = card.get(IGNORE_KEY)
    return None if value is None else int(value)
