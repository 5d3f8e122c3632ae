"""The identity matrix: every second version of an image, whoever sends it and whenever it comes."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import combinations, product
from typing import NamedTuple


class What(StrEnum):
    """What of the second version differs from the first, apart from where it belongs."""

    SAME = "same"  # the same data set, byte for byte
    RECOMPRESSED = "recompressed"  # losslessly
    HEADER = "header"
    GEOMETRY = "geometry"
    PIXELS = "pixels"


class Place(StrEnum):
    """Where the second version belongs."""

    SAME = "same place"
    SERIES = "other series"
    STUDY = "other study"
    PATIENT = "other patient"  # in the same study and series


class Who(StrEnum):
    """Who sends the second version; but for the last, a caller that [callers] names has sent the first."""

    SAME_CALLER = "same caller"
    CORRECTOR = "corrector"  # another named caller with `corrects = true`
    NAMED = "named caller"  # another one, who may not correct
    STRANGER = "stranger"  # under the first sender's AE title, from an address that [callers] does not name
    STRANGER_FIRST = "stranger first"  # a stranger has sent the first version, a named caller sends the second


class Stage(StrEnum):
    """What has become of the first version when the second comes."""

    BEFORE_RUN = "before run"
    WAITING = "waiting"  # its result waits for both peers
    ONE_OF_TWO = "delivered to one of two peers"
    COMMITTED = "committed"  # by both peers
    MOVED = "moved by the PACS"  # both peers have moved the result to where the second version belongs
    REMOVED = "removed by retention"  # after both peers had committed themselves to the result


class Extent(StrEnum):
    """How much of the series, which has two images, comes a second time."""

    WHOLE = "whole"
    PARTIAL = "partial"


class Cell(NamedTuple):
    """One row of the matrix."""

    what: What
    place: Place
    who: Who
    stage: Stage
    extent: Extent

    def __str__(self) -> str:
        return ", ".join(self)


def every_cell() -> Iterator[Cell]:
    """Yield the whole product, with what cannot be."""
    yield from (Cell(*values) for values in product(What, Place, Who, Stage, Extent))


def impossible(cell: Cell) -> str:
    """Return why there is no such case; "" where there is."""
    if cell.what == What.SAME and cell.place != Place.SAME:
        return "the same data set cannot name another series, study or patient: that is another header"
    if cell.stage == Stage.MOVED and cell.place == Place.SAME:
        return "the images stay where they are: the PACS has nowhere to move their result"
    if cell.stage == Stage.MOVED and cell.place == Place.SERIES:
        return "a result has a series of its own: images that change series within their study do not take it along"
    return ""


def possible() -> list[Cell]:
    """Return every cell that can be."""
    return [cell for cell in every_cell() if not impossible(cell)]


def representative() -> list[Cell]:
    """Return a few cells in which each value meets each value of the other columns that it can meet."""
    cells = possible()
    missing = {pair for cell in cells for pair in combinations(cell, 2)}
    chosen = []
    while missing:
        best = max(cells, key=lambda cell: len(missing.intersection(combinations(cell, 2))))
        chosen.append(best)
        missing.difference_update(combinations(best, 2))
    return chosen
