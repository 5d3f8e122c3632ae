"""Catalog rows for what has arrived, made behind the answers, in the order of arrival."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from dicom_node.callers import Callers
from dicom_node.catalog import Catalog
from dicom_node.config import Config
from dicom_node.errors import CatalogError
from dicom_node.receive import rows, scan
from dicom_node.receive.aside import Comparing
from dicom_node.receive.comparer import Comparer
from dicom_node.receive.contest import Contest
from dicom_node.receive.deciding import Deciding
from dicom_node.receive.difference import UncomparedError
from dicom_node.receive.file_head import trim
from dicom_node.receive.ledger import Ledger
from dicom_node.receive.placing import Note, Placed, Placing, look_at
from dicom_node.receive.postponed import Postponed
from dicom_node.receive.records import DamagedRecordError
from dicom_node.receive.shelf import Found, Shelf
from dicom_node.receive.waiting import Arrived, Waiting

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_BATCH = 128  # objects in one transaction
_LOOK_S = 0.1  # how often the folder is looked at while nothing comes
_PAUSE_S = 0.1  # without an arrival, after which a push has paused
_PUSH_AT_MOST_S = 2.0  # for which a push has the processors and the disk to itself
_END_S = 0.25  # how often open associations are asked whether they still live
_TAKE_OVER_S = 2.0  # how often it is searched for what dead associations left
_RETRY_S = 0.1  # before the second attempt at a database or disk that is away; doubles
_RETRY_MAX_S = 30.0


_COMPARING = "comparing"  # stands among the open associations for the studies of what is being compared


class _StoppingError(Exception):
    """The database or the disk is away and nobody wants to wait for it any more."""


class Registrar:
    """A thread that moves what receivers have written to its place and makes its rows; one for a storage folder.

    While the database or the disk is away it tries again with growing pauses, and receiving goes on: the folder is the
    queue, and what is on disk without a row is found again at the next start. A file that alone cannot be taken up is
    tried again later, and holds up no other. `name` tells the open associations of
    this node's receivers from another's.
    """

    def __init__(self, config: Config, catalog: Catalog, name: str = "receiver") -> None:
        """The catalog has to be migrated before."""
        self._shelf = Shelf(config.storage_folder)
        self._catalog = catalog
        self._name = name
        self._contest = Contest(Callers(config))
        self._waiting = Waiting(self._shelf)
        self._comparer = Comparer(config)
        self._comparing = Comparing(self._shelf, self._comparer)
        self._postponed = Postponed()
        self._open: set[str] = set()  # associations that have a row
        self._due: dict[str, float] = {}
        self._stopping = threading.Event()
        self.problem: CatalogError | None = None  # that ended the thread
        self._thread = threading.Thread(target=self._run, name="registrar", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether rows are still being made."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; it looks for files without rows first.

        Raises:
            OSError: the storage folder cannot be written.
        """
        self._shelf.make()
        self._placing = Placing(self._shelf, Ledger(self._shelf.versions), self._contest, self._comparing.difference)
        self._deciding = Deciding(self._shelf, self._catalog, self._placing, self._contest)
        self._thread.start()

    def stop(self) -> None:
        """Make the rows of what is there, then end; a database that is away, or a comparison, is not waited for."""
        self._stopping.set()
        self._thread.join()
        self._comparer.close()

    def _run(self) -> None:
        try:
            self._open = set(self._lasting(self._waiting.open_associations))
            self._lasting(partial(rows.keep_associations, self._catalog, self._name, self._open))
            self._put_aside_again()
            self._scan()
            while not self._stopping.is_set():
                if ready := [one for one in self._comparing.ready() if one.path not in self._postponed][:_BATCH]:
                    self._register_found([(found, "") for found in ready])
                if self._is_under_way(*self._lasting(self._waiting.span)) or self._turn() < _BATCH:
                    self._stopping.wait(_LOOK_S)
            self._turn()
        except CatalogError as error:
            self.problem = error
        except _StoppingError:
            log.warning("stopped with about %d objects left to register", len(self._waiting.arrived()))

    def _put_aside_again(self) -> None:
        """Take up what was being compared when this node ended; it is settled once all that has a place has its row."""
        for path in self._lasting(self._comparing.paths):
            found = self._attempt(Arrived(path, ""), partial(look_at, self._shelf, path))
            if isinstance(found, Found):
                self._comparing.put(found)
                self._lasting(partial(self._write, [(_aside(found), "")]))

    def _scan(self) -> None:
        for series in self._lasting(partial(scan.removed_without_row, self._shelf, self._catalog)):
            placed = self._lasting(partial(self._place_removed, series))
            self._lasting(partial(self._write, [(placed, "")]))
        for folder in scan.series_folders(self._shelf):
            paths = self._lasting(partial(scan.files_without_row, self._shelf, self._catalog, folder))
            if paths:
                log.warning("%d objects in %s were not in the catalog", len(paths), self._shelf.relative(folder))
            self._register([Arrived(path, "") for path in paths])
            if self._stopping.is_set():
                return
            self._turn()
        self._register([Arrived(path, "") for path in scan.set_aside(self._shelf)])

    def _is_under_way(self, first: float, last: float) -> bool:
        """Say whether to leave a push alone: its objects came just now, and none of them has waited for long."""
        now = time.time()  # which may have been set back since
        return now - last < _PAUSE_S and 0 <= now - first < _PUSH_AT_MOST_S

    def _turn(self) -> int:
        """Register what is there and see which associations have ended; return how many objects there were."""
        if self._is_due("take over", _TAKE_OVER_S):
            self._lasting(self._waiting.take_over)
            self._lasting(self._deciding.decide)
        ended = [one for one in self._open if not self._is_open(one)] if self._is_due("end", _END_S) else []
        arrived = self._lasting(self._waiting.arrived)  # all that the ended ones sent is among it
        due = [one for one in arrived if one.path not in self._postponed] + self._postponed.due()
        self._register(due)
        if ended:
            self._lasting(partial(rows.forget_associations, self._catalog, self._name, ended))
            self._open.difference_update(ended)
        return len(due)

    def _is_open(self, association: str) -> bool:
        return bool(self._comparing) if association == _COMPARING else self._waiting.is_open(association)

    def _is_due(self, what: str, pause_s: float) -> bool:
        now = time.monotonic()
        is_due = now >= self._due.get(what, 0.0)
        if is_due:
            self._due[what] = now + pause_s
        return is_due

    def _register(self, arrived: Sequence[Arrived]) -> None:
        for first in range(0, len(arrived), _BATCH):
            self._register_batch(arrived[first : first + _BATCH])

    def _register_batch(self, arrived: Sequence[Arrived]) -> None:
        self._register_found([(found, one.association) for one, found in self._looked_at(arrived)])

    def _looked_at(self, arrived: Sequence[Arrived]) -> list[tuple[Arrived, Found | Note]]:
        """Return what each file is, without those that alone cannot be read now."""
        try:
            trim([one.path for one in arrived])
            return [(one, look_at(self._shelf, one.path)) for one in arrived]
        except OSError:  # of one file or of the disk: each file alone shows which
            looked = [(one, self._attempt(one, partial(_trim_and_look_at, self._shelf, one.path))) for one in arrived]
            return [(one, found) for one, found in looked if found is not None]

    def _register_found(self, looked: Sequence[tuple[Found | Note, str]]) -> None:
        uids = [one.header.identity.sop_instance_uid for one, _ in looked if isinstance(one, Found)]
        known = self._lasting(partial(rows.known, self._catalog, uids))
        attempted = [(self._placed(one, known, association), association) for one, association in looked]
        placed = [(one, association) for one, association in attempted if one is not None]
        self._lasting(partial(self._write, placed))

    def _write(self, placed: Sequence[tuple[Placed, str]]) -> None:
        """Write rows; the studies of what is being compared stay open as if its sender had more to send."""
        placed = [*placed, *((one, _COMPARING) for one, _ in placed if one.is_aside)]
        self._open.update(filter(None, (association for _, association in placed)))
        rows.write(self._catalog, self._name, placed)

    def _place_removed(self, series: tuple[str, str]) -> Placed:
        """Place what was removed of a series; where the record of that is damaged, only that is said."""
        try:
            return self._placing.place_removed(series)
        except DamagedRecordError as error:
            log.warning("%s", error)
            return Placed(notes=(Note(series[1], f"what was removed of it is not known: {error}"),))

    def _placed(self, found: Found | Note, known: rows.KnownRows, association: str) -> Placed | None:
        """Place an object; None where its file alone cannot be placed now."""
        if isinstance(found, Note):
            placed: Placed | None = Placed(notes=(found,))
        else:
            placed = self._attempt(Arrived(found.path, association), partial(self._place, found, known))
        for note in placed.notes if placed else ():
            log.warning("%s: %s", note.subject, note.text)
        return placed

    def _attempt(self, arrived: Arrived, step: Callable[[], _T]) -> _T | None:
        """Do a step with a file until it succeeds; None where it fails although the disk is there."""
        return self._lasting(partial(self._attempt_once, arrived, step))

    def _attempt_once(self, arrived: Arrived, step: Callable[[], _T]) -> _T | None:
        try:
            value = step()
        except OSError as error:
            self._shelf.prove_disk()
            if self._postponed.put(arrived, error):
                note = Note(arrived.path.name, f"was received and cannot be taken up: {error}")
                rows.write(self._catalog, self._name, [(Placed(notes=(note,)), "")])
            return None
        self._postponed.forget(arrived.path)
        return value

    def _place(self, found: Found, known: rows.KnownRows) -> Placed:
        """Place an object, or put it aside until somebody else has compared what has to be compared."""
        try:
            if not self._comparing.holds_up(found):
                placed = self._placing.place(found, known)
                self._comparing.settled(found)
                return placed
        except UncomparedError:
            pass
        self._comparing.put(found)
        return _aside(found)

    def _lasting(self, step: Callable[[], _T]) -> _T:
        """Do a step until it succeeds; each step may be done twice without harm."""
        pause_s = _RETRY_S
        while True:
            try:
                return step()
            except (SQLAlchemyError, OSError) as error:
                reason = str(error).partition("\n")[0]
                log.warning("catalog or storage is away (%s); next attempt in %.1f s", reason, pause_s)
                if self._stopping.wait(pause_s):
                    raise _StoppingError from error
                pause_s = min(2 * pause_s, _RETRY_MAX_S)


def _aside(found: Found) -> Placed:
    return Placed(found.header.identity.study_uid, is_aside=True)


def _trim_and_look_at(shelf: Shelf, path: Path) -> Found | Note:
    trim([path])
    return look_at(shelf, path)
