"""Who may have an association: limits for the node, an AE title, an address; places kept for named callers."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dicom_node.callers import Callers
from dicom_node.config import NamedCaller, Node
from dicom_node.receive.association_table import CUT, FREE, OPEN, STRANGER, AssociationTable, Entry, digest
from dicom_node.receive.services import Caller

_SPARED_S = 5.0  # for which an association may stand still before another may get its place


class NoRoomError(Exception):
    """There is no place for an association, and none that could be taken from a slower one; the text says which."""


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit that an association would come under, and who is counted."""

    most: int
    counts: Callable[[Entry], bool]
    text: str


class Admission:
    """Gives places in a table that all receivers share.

    Where a limit is reached, the slowest of those that it counts gives way, once it has stood still for a while: the
    fewest bytes a second over its whole life. One of an address that holds more places than the newcomer's gives way
    as soon as it stands still, so that a few addresses cannot keep others out by calling again and again. A named
    caller never gives way.
    """

    def __init__(self, node: Node, callers: Callers, table: AssociationTable) -> None:
        self._node = node
        self._callers = callers
        self._table = table

    def enter(self, caller: Caller) -> int:
        """Take a place for an association; return its index in the table.

        Raises:
            NoRoomError: a limit is reached.
        """
        name = self._callers.name_of(caller.ae_title, caller.address, caller.certificate)
        named = STRANGER if name is None else self._callers.names.index(name)
        now = time.monotonic()
        who = digest(caller.ae_title), digest(caller.address)
        newcomer = Entry(OPEN, named, os.getpid(), *who, now, 0.0, 0)
        with self._table.locked():
            entries = self._table.entries()
            for limit in self._limits(newcomer, entries):
                _make_room(limit, newcomer, entries)
            return self._put(newcomer, entries)

    def leave(self, index: int) -> None:
        """Give a place back."""
        with self._table.locked():
            self._table.set_state(index, FREE)

    def _limits(self, newcomer: Entry, entries: Sequence[Entry]) -> list[_Limit]:
        node, open_ones = self._node, Counter(entry.named for entry in entries if entry.state == OPEN)
        if newcomer.named != STRANGER:
            own = self._caller(newcomer.named)
            limit = _Limit(own.max_associations, lambda entry: entry.named == newcomer.named, "of this named caller")
            if open_ones[newcomer.named] < own.reserved_associations:
                return [limit]
            limits = [limit]
        else:
            limits = [
                _Limit(node.max_associations_per_caller, _same_title(newcomer), "of this AE title"),
                _Limit(node.max_associations_per_address, _same_address(newcomer), "from this address"),
            ]
        kept = sum(
            max(0, self._caller(named).reserved_associations - open_ones[named])
            for named in range(len(self._callers.names))
            if named != newcomer.named
        )
        return [*limits, _Limit(node.max_associations - kept, lambda _: True, "in all")]

    def _caller(self, named: int) -> NamedCaller:
        return self._callers[self._callers.names[named]]

    def _put(self, newcomer: Entry, entries: list[Entry]) -> int:
        for index, entry in enumerate(entries):
            if entry.state == CUT:
                self._table.set_state(index, CUT)
        free = [index for index, entry in enumerate(entries) if entry.state == FREE]
        if not free:
            raise NoRoomError("associations that were cut have not ended yet")
        self._table.put(free[0], newcomer)
        return free[0]


def _same_title(newcomer: Entry) -> Callable[[Entry], bool]:
    return lambda entry: entry.named == STRANGER and entry.ae_title == newcomer.ae_title


def _same_address(newcomer: Entry) -> Callable[[Entry], bool]:
    return lambda entry: entry.named == STRANGER and entry.address == newcomer.address


def _make_room(limit: _Limit, newcomer: Entry, entries: list[Entry]) -> None:
    """Cut the slowest where a limit is reached; changes `entries`."""
    counted = [index for index, entry in enumerate(entries) if entry.state == OPEN and limit.counts(entry)]
    if len(counted) < limit.most:
        return
    now, held = newcomer.began_s, Counter(entry.address for entry in entries if entry.state == OPEN)
    fair = held[newcomer.address] + 1
    slow = [
        index
        for index in counted
        if _may_be_cut(entries[index], now - (0 if held[entries[index].address] > fair else _SPARED_S))
    ]
    if not slow:
        raise NoRoomError(f"{len(counted)} associations {limit.text} are open")
    slowest = min(slow, key=lambda index: entries[index].received / (now - entries[index].began_s))
    entries[slowest] = entries[slowest]._replace(state=CUT)


def _may_be_cut(entry: Entry, before_s: float) -> bool:
    """Say whether a stranger has stood still since before a time."""
    return entry.named == STRANGER and 0 < entry.slow_since_s < before_s
