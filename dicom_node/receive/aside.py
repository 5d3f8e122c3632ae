"""Received objects that wait in comparing/ for a comparison of pixels; objects of other SOP Instances go on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from dicom_node.receive.comparer import Comparer
from dicom_node.receive.comparing import compare_at_once
from dicom_node.receive.difference import Difference, UncomparedError
from dicom_node.receive.rejecting import read_note
from dicom_node.receive.shelf import Found, Shelf, move


@dataclass(frozen=True, slots=True)
class Aside:
    """An object that waits for its comparison with an earlier version of its SOP Instance."""

    found: Found
    touches: frozenset[str]  # SOP Instances of which it may change what counts


class Comparing:
    """The objects that wait, by arrival; versions of one SOP Instance are settled in the order of their arrival."""

    def __init__(self, shelf: Shelf, comparer: Comparer) -> None:
        self._shelf = shelf
        self._comparer = comparer
        self._aside: dict[Path, Aside] = {}
        self._touched: Counter[str] = Counter()  # SOP Instances, by how many that are aside

    def __bool__(self) -> bool:
        return bool(self._aside)

    def paths(self) -> list[Path]:
        """Return what was put aside before this process began, in the order in which it came.

        Raises:
            OSError: the disk would not let us.
        """
        return sorted(self._shelf.comparing.glob("*.dcm"))

    def difference(self, path: Path, other: Path) -> Difference:
        """Return how two objects differ; what takes longer is asked for where the first is put aside.

        Raises:
            UncomparedError: they are being compared, or have to be.
        """
        if path not in self._aside:
            return compare_at_once(path, other)
        found = self._comparer.answer(path, other)
        if found is None:
            raise UncomparedError
        return found

    def holds_up(self, found: Found) -> bool:
        """Say whether a version has to wait for another that came before it; what has a place came before all here."""
        if not self._aside or found.path in self._aside or self._shelf.storage in found.path.parents:
            return False
        return any(self._touched[uid] for uid in _of(found).touches)

    def put(self, found: Found) -> None:
        """Put a version aside, durably where it has come in just now; one that stands elsewhere stays there.

        Raises:
            OSError: the disk would not let us.
        """
        if found.path.parent == self._shelf.incoming:
            found = replace(found, path=move(found.path, self._shelf.comparing / found.path.name))
        if found.path not in self._aside:
            self._keep(found)

    def settled(self, found: Found) -> None:
        """Forget a version that has its place now."""
        if aside := self._aside.pop(found.path, None):
            self._touched -= Counter(aside.touches)

    def ready(self) -> list[Found]:
        """Return what can be settled, or asked about: it waits neither for an answer nor for an earlier version."""
        ready, waiting, busy = [], set[str](), self._comparer.busy()
        for path, one in self._aside.items():
            if path not in busy and not one.touches & waiting:
                ready.append(one.found)
            waiting |= one.touches
        return ready

    def _keep(self, found: Found) -> None:
        self._aside[found.path] = aside = _of(found)
        self._touched.update(aside.touches)


def _of(found: Found) -> Aside:
    identity = found.header.identity
    note = read_note(identity.sop_class_uid, found.path)
    return Aside(found, frozenset((identity.sop_instance_uid, *(note.sop_instance_uids if note else ()))))
