"""The catalog: what was received, decided, run and delivered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session

from dicom_node.catalog.tables import (
    UNFINISHED,
    UNSENT,
    Base,
    CommitmentRequest,
    Delivery,
    DeliveryState,
    Event,
    Instance,
    Lease,
    OpenAssociation,
    PeerState,
    Result,
    Run,
    RunState,
    Series,
    Stack,
    StackState,
    Study,
    VersionState,
)

__all__ = [
    "UNFINISHED",
    "UNSENT",
    "Base",
    "Catalog",
    "CommitmentRequest",
    "Delivery",
    "DeliveryState",
    "Event",
    "Instance",
    "Lease",
    "OpenAssociation",
    "PeerState",
    "Result",
    "Run",
    "RunState",
    "Series",
    "Stack",
    "StackState",
    "Study",
    "VersionState",
]

_BUSY_S = 30.0  # how long SQLite waits for another process's write


class Catalog:
    """The database behind one SQLAlchemy URL; safe to share among threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _sqlite(url) if url.startswith("sqlite") else create_engine(url, hide_parameters=True)

    def migrate(self) -> None:
        """Bring the tables to this version's shape; where they have it, a locked database is not waited for."""
        settings = AlembicConfig()
        settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.execution_options(readonly=True).connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
        if revision == ScriptDirectory.from_config(settings).get_current_head():
            return
        with self.engine.connect() as connection, _rebuilding(connection), connection.begin():
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session whose changes are committed together; on SQLite it holds the write lock from the start."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session for reading; its rows stay usable after it."""
        with Session(self.engine.execution_options(readonly=True), expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


@contextmanager
def _rebuilding(connection: Connection) -> Iterator[None]:
    """Let SQLite's tables be made anew, which it cannot do while it watches the keys that point to them."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        yield
        return
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_S})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions by itself, and too late
        # NORMAL: a power cut may lose the last rows, never the file; what lies on disk without a row is found at start.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A transaction that starts as a reader cannot always become a writer; one that will write says so at once.
        reads = connection.get_execution_options().get("readonly", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
