"""What persons have decided about held versions: `dicom-node conflicts keep` leaves a file, the registrar acts."""

from __future__ import annotations

import os
from pathlib import Path

from dicom_node.catalog import Catalog
from dicom_node.receive import rows
from dicom_node.receive.contest import Contest
from dicom_node.receive.placing import Note, Placed, Placing, notes_of
from dicom_node.receive.rejecting import joined, read_note
from dicom_node.receive.shelf import Shelf

_SUFFIX = ".keep"


def leave_decision(storage_folder: Path, sha256: str) -> None:
    """Ask the registrar, durably, to keep a version.

    Raises:
        OSError: it is not asked.
    """
    folder = Shelf(storage_folder).decisions
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{sha256}.part"
    with part.open("w") as file:
        os.fdatasync(file.fileno())
    part.replace(folder / f"{sha256}{_SUFFIX}")


class Deciding:
    """Acts upon the decisions that lie in the folder; each may be acted upon twice."""

    def __init__(self, shelf: Shelf, catalog: Catalog, placing: Placing, contest: Contest) -> None:
        self._shelf = shelf
        self._catalog = catalog
        self._placing = placing
        self._contest = contest

    def decide(self) -> None:
        """Act upon every decision.

        Raises:
            OSError: the disk would not let us.
            SQLAlchemyError: nor the database.
        """
        for path in sorted(self._shelf.decisions.glob(f"*{_SUFFIX}")):
            self._keep(path.stem)
            path.unlink(missing_ok=True)

    def _keep(self, sha256: str) -> None:
        found = rows.find_versions(self._catalog, sha256)
        if not found or found[0].is_removed:
            return
        kept = found[0]
        known = rows.known(self._catalog, [kept.uid])
        versions = known.versions(kept.uid)
        settled = self._contest.keep(kept, versions)
        self._placing.write_down(versions, settled, None)
        said_by_note = read_note(kept.sop_class_uid, self._shelf.whole(kept.path))
        if said_by_note is not None:
            rejected, _ = self._placing.reject(kept, said_by_note, known, is_decided=True)
            settled = joined([settled, rejected])
        said = Note(kept.uid, f"version {kept.id} is current: a person has kept it")
        rows.write(self._catalog, "", [(Placed(kept.study_uid, settled, (*notes_of(settled), said)), "")])
