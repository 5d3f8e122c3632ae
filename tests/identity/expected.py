"""What each cell of the identity matrix has to come to, by the rules and not by the code.

The rules: the same data set again is nothing. The same pixels and geometry under another header, series, study or
patient are a correction, which supersedes if its sender may correct, and is held otherwise; so is another geometry.
Other pixels are held, whoever sends them. A named caller's version displaces an unnamed one's, which is then held.
The caller that sent the current version may correct, and so may a caller with `corrects = true`; both count by AE title
and address. What was made of a version that has been displaced is withdrawn: unsent results stop, a result that stands
where it was sent is rejected there (DCM 113037), one that the peer has moved along is left alone, and what counts now
runs anew. A header update of the same patient, study and series withdraws nothing: what has left stays, and what was
not sent is encoded again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dicom_node.catalog import VersionState
from tests.identity.cells import Cell, Extent, Place, Stage, What, Who

Version: TypeAlias = Literal["first", "second"]
CURRENT, SUPERSEDED, HELD = VersionState.CURRENT, VersionState.SUPERSEDED, VersionState.HELD
SUCCESS, PROCESSING_FAILURE, NO_SUCH_OBJECT = 0, 0x0110, 0x0112  # PS3.3 C.14.1.1
PEERS = ("main", "other")


@dataclass(frozen=True, order=True)
class Held:
    """A result as a peer holds it."""

    study: Version  # whose study it stands under
    patient: Version  # whose patient
    series: Version  # whose images it cites
    images: int
    header: Version  # whose accession number it has
    is_rejected: bool = False


@dataclass(frozen=True)
class Expected:
    """The end of a cell."""

    states: Mapping[Version, VersionState]  # of each version that is kept of an image that came twice
    commitment: int  # Failure Reason of an image that came twice, 0 for success
    commitment_of_rest: int | None  # of the image that came once, where there is one
    peers: Mapping[str, Sequence[Held]]  # by peer, sorted


def expect(cell: Cell, *, is_rebuilt: bool = False) -> Expected:
    """Return what a cell that can be has to come to; `is_rebuilt` once the catalog was lost and made anew.

    A node that has lost its catalog no longer knows what has left: the results of images whose header was corrected
    since are encoded anew, under their UIDs, and say what the images say now.
    """
    states = _states(cell)
    is_removed = cell.stage == Stage.REMOVED
    is_alone = len(states) == 1 or (is_removed and states["second"] == CURRENT)  # on disk; a removed one is not
    return Expected(
        states=states,
        commitment=SUCCESS if is_alone else PROCESSING_FAILURE,
        commitment_of_rest=_rest(cell),
        peers={peer: sorted(_held_at(cell, peer, is_rebuilt=is_rebuilt)) for peer in PEERS},
    )


def _rest(cell: Cell) -> int | None:
    if cell.extent == Extent.WHOLE:
        return None
    return NO_SUCH_OBJECT if cell.stage == Stage.REMOVED else SUCCESS


def _states(cell: Cell) -> Mapping[Version, VersionState]:
    if cell.what == What.SAME:
        return {"first": CURRENT}
    if _is_other_encoding(cell):
        replaces = cell.who == Who.STRANGER_FIRST or cell.stage == Stage.REMOVED  # what counts has to be there
        return {"first": SUPERSEDED, "second": CURRENT} if replaces else {"first": CURRENT, "second": SUPERSEDED}
    if cell.who == Who.STRANGER_FIRST:
        return {"first": HELD, "second": CURRENT}
    if cell.what == What.PIXELS or cell.who in {Who.NAMED, Who.STRANGER}:
        return {"first": CURRENT, "second": HELD}
    return {"first": SUPERSEDED, "second": CURRENT}


def _is_other_encoding(cell: Cell) -> bool:
    return cell.what == What.RECOMPRESSED and cell.place == Place.SAME


def _is_header_update(cell: Cell) -> bool:
    return cell.what == What.HEADER and cell.place == Place.SAME and cell.who != Who.STRANGER_FIRST


def _is_withdrawn(cell: Cell) -> bool:
    """Say whether what was made of the first version is."""
    takes_over = _states(cell).get("second") == CURRENT
    return takes_over and not _is_other_encoding(cell) and not _is_header_update(cell)


def _held_at(cell: Cell, peer: str, *, is_rebuilt: bool) -> Iterator[Held]:
    if not _is_withdrawn(cell):
        yield _first_result(cell, is_rebuilt=is_rebuilt)
        return
    has_first = cell.stage in {Stage.COMMITTED, Stage.MOVED, Stage.REMOVED}
    if has_first or (cell.stage == Stage.ONE_OF_TWO and peer == "main"):
        yield _first_result(cell, is_rebuilt=is_rebuilt)
    yield from _second_results(cell)


def _first_result(cell: Cell, *, is_rebuilt: bool) -> Held:
    """Return what was made of the first version, as it stands in the end."""
    place = cell.place if cell.stage == Stage.MOVED else Place.SAME
    unsent = cell.stage in {Stage.BEFORE_RUN, Stage.WAITING} or (is_rebuilt and cell.stage != Stage.REMOVED)
    is_updated = _is_header_update(cell) and unsent and _states(cell)["second"] == CURRENT
    return Held(
        study="second" if place == Place.STUDY else "first",
        patient="second" if place == Place.PATIENT else "first",
        series="first",
        images=2,
        header="second" if is_updated else "first",
        is_rejected=_is_withdrawn(cell) and cell.stage != Stage.MOVED,
    )


def _second_results(cell: Cell) -> Iterator[Held]:
    """Yield what is made once the second version counts; images that retention removed cannot be run on again."""
    rest = 1 if cell.extent == Extent.PARTIAL and cell.stage != Stage.REMOVED else 0
    changed = 2 if cell.extent == Extent.WHOLE else 1
    header: Version = "second" if cell.what == What.HEADER else "first"
    is_one_stack = cell.place == Place.SAME and cell.what != What.GEOMETRY
    yield Held(
        study="second" if cell.place == Place.STUDY else "first",
        patient="second" if cell.place == Place.PATIENT else "first",
        series="second" if cell.place == Place.SERIES else "first",
        images=changed + rest if is_one_stack else changed,
        header=header,
    )
    if rest and not is_one_stack:
        yield Held("first", "first", "first", rest, "first")
