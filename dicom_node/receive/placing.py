"""Which folder a file goes to: its place, aside as a conflict or as unreadable, or nowhere, being there already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dicom_node.content import content_digest
from dicom_node.errors import ObjectError
from dicom_node.receive.shelf import Found, Shelf, find, move, same_data_set


@dataclass(frozen=True, slots=True)
class Note:
    """What happened to what, for people."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of one file, as the catalog is to say it."""

    study_uid: str | None = None  # that it belongs to; None where that cannot be read
    kept: Found | None = None  # where a row is needed
    note: Note | None = None


class Known(Protocol):
    """What the catalog says is kept."""

    def place(self, sop_instance_uid: str) -> Path | None:
        """Return where the object of this SOP Instance UID stands."""

    def expect(self, sop_instance_uid: str, path: Path) -> None:
        """Remember what is about to get its row."""


def look_at(shelf: Shelf, path: Path) -> Found | Note:
    """Read what it is; one that cannot be read is moved aside. May be done again after any error.

    Raises:
        OSError: the disk would not let us.
    """
    try:
        return find(path)
    except FileNotFoundError:
        return _gone(path)
    except ObjectError as error:
        move(path, shelf.unreadable / path.name)
        return Note(path.name, f"moved to {shelf.unreadable.name}/: {error.problem}")


def place(shelf: Shelf, found: Found, known: Known) -> Placed:
    """Move one file to where it belongs; its last act is the move, so that it may be tried again after any error.

    The first object of a SOP Instance UID stays; the same data set again is dropped, another picture is kept aside. The
    same picture under another header, as a PACS makes it when a patient or study is corrected, takes the first's place.

    Raises:
        OSError: the disk would not let us.
    """
    if not found.path.exists():
        return Placed(note=_gone(found.path))
    uid = found.header.identity.sop_instance_uid
    kept, note = _settle(shelf, found, known.place(uid))
    if kept is not None:
        known.expect(uid, kept.path)
    return Placed(found.header.identity.study_uid, kept, note)


def _gone(path: Path) -> Note:
    return Note(path.name, "gone from the disk before it was in the catalog")


def _settle(shelf: Shelf, found: Found, has_row: Path | None) -> tuple[Found | None, Note | None]:
    """Return what needs a row, and what is worth a note."""
    target = shelf.place_of(found.header)
    if found.path == (has_row or target):
        return found, None
    earlier = _earlier(shelf, has_row or target)
    if earlier is None:
        return found.at_place(move(found.path, target)), None
    if not same_data_set(found, earlier):
        if _is_header_update(found, earlier):
            return _supersede(shelf, found, earlier)
        return None, _set_aside(shelf, found, earlier)
    found.path.unlink()
    return None if has_row else earlier, None


def _earlier(shelf: Shelf, path: Path) -> Found | None:
    """Return the object that stands at path; one that has become unreadable gives way."""
    try:
        return find(path)
    except FileNotFoundError:
        return None
    except ObjectError:
        move(path, shelf.unreadable / path.name)
        return None


def _is_header_update(found: Found, earlier: Found) -> bool:
    if found.header.identity != earlier.header.identity:
        return False
    shown = content_digest(found.path)
    return bool(shown) and shown == content_digest(earlier.path)


def _supersede(shelf: Shelf, found: Found, earlier: Found) -> tuple[Found, Note]:
    aside = shelf.conflict_of(earlier)
    aside.parent.mkdir(parents=True, exist_ok=True)
    if not aside.exists():
        aside.hardlink_to(earlier.path)
    uid, caller = found.header.identity.sop_instance_uid, found.header.caller
    text = f"came from {caller} with another header; the newest is kept, the earlier is {shelf.relative(aside)}"
    return found.at_place(move(found.path, earlier.path)), Note(uid, text)


def _set_aside(shelf: Shelf, found: Found, earlier: Found) -> Note | None:
    target = shelf.conflict_of(found)
    is_known = target.exists()
    move(found.path, target)
    if is_known:
        return None
    return Note(
        found.header.identity.sop_instance_uid,
        f"arrived again from {found.header.caller} with other content than {shelf.relative(earlier.path)}; "
        f"the first is kept, the other is {shelf.relative(target)}",
    )
