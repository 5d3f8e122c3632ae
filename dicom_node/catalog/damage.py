"""A damaged SQLite file, told from one that is only locked, and what a person can do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from dicom_node.errors import CatalogError

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PRIMARY = 0xFF  # bits of an extended result code that are the primary one (sqlite.org/rescode.html)


def describe_damage(error: BaseException | None, path: Path, consequence: str) -> CatalogError | None:
    """Return what to raise instead of a driver's error that says that the file is damaged, None for other errors.

    `consequence` says what becomes of the node when it starts without the file.
    """
    if not isinstance(error, sqlite3.DatabaseError) or getattr(error, "sqlite_errorcode", 0) & _PRIMARY not in _DAMAGED:
        return None
    return CatalogError(
        f"{path} is damaged ({error}): stop the node, then restore it from a backup, or move it, {path.name}-wal and "
        f"{path.name}-shm aside and start again; {consequence} (docs/operations.md)"
    )
