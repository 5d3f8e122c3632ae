"""All cells' way through one node: first versions to their stages, then every second version, then the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from pydicom import FileDataset

from dicom_node.catalog import DeliveryState
from tests.identity.cells import Stage
from tests.identity.images import Images
from tests.identity.site import SECOND, Site, first_sender

_T = TypeVar("_T", bound=Hashable)


def run(site: Site, rows: Sequence[Images], within_s: float) -> None:
    """Send everything, each cell's second version at its stage, and wait until nothing is on its way."""
    at: Mapping[Stage, list[Images]] = _grouped(rows, lambda row: row.cell.stage)
    for stage in (Stage.COMMITTED, Stage.MOVED, Stage.REMOVED):
        _send_first(site, at[stage])
    site.wait(site.is_settled, "results to be committed", within_s)
    _move(site, at[Stage.MOVED])
    assert site.remove(study for row in at[Stage.REMOVED] for study in row.study_uids) == len(at[Stage.REMOVED])
    site.take_away("other")
    _send_first(site, at[Stage.ONE_OF_TWO])
    site.wait(lambda: _is_at_one(site), "one of two peers to have results", within_s)
    site.take_away("main")
    _send_first(site, at[Stage.WAITING])
    site.wait(site.is_split, "results to wait", within_s)
    with _sending_first(site, at[Stage.BEFORE_RUN]):
        for sender, theirs in _grouped(rows, lambda row: SECOND[row.cell.who]).items():
            site.send(sender, [image for row in theirs for image in row.second])
        site.wait(site.is_registered, "second versions to be registered", within_s)
    site.bring_back("main")
    site.bring_back("other")
    site.wait(site.is_settled, "everything to end", within_s)


def _send_first(site: Site, rows: Sequence[Images]) -> None:
    with _sending_first(site, rows):
        pass


@contextmanager
def _sending_first(site: Site, rows: Sequence[Images]) -> Iterator[None]:
    """Send the first versions; the associations stay open for the block."""
    with ExitStack() as associations:
        for sender, theirs in _grouped(rows, lambda row: first_sender(row.cell)).items():
            images: list[FileDataset] = [image for row in theirs for image in row.first]
            associations.enter_context(site.sending(sender, images))
        yield


def _is_at_one(site: Site) -> bool:
    return site.is_split() and set(site.delivered("main").values()) <= {DeliveryState.COMMITTED}


def _move(site: Site, rows: Iterable[Images]) -> None:
    for row in rows:
        for peer in site.peers.values():
            peer.move(next(iter(row.study_uids)), **row.moved_to)


def _grouped(rows: Iterable[Images], by: Callable[[Images], _T]) -> Mapping[_T, list[Images]]:
    groups: defaultdict[_T, list[Images]] = defaultdict(list)
    for row in rows:
        groups[by(row)].append(row)
    return groups
