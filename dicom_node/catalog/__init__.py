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
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.orm import Session

from dicom_node.catalog.damage import describe_damage
from dicom_node.catalog.tables import (
    SUPERVISOR,
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
from dicom_node.errors import CatalogError

__all__ = [
    "SUPERVISOR",
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
_MADE_ANEW = "every kept object is registered again, and series are judged anew and give the same results as before"


class Catalog:
    """The database behind one SQLAlchemy URL; safe to share among threads."""

    def __init__(self, url: str, busy_s: float = _BUSY_S) -> None:
        """`busy_s` is how long SQLite waits for another process's write."""
        self.url = url
        self.engine = _sqlite(url, busy_s) if url.startswith("sqlite") else create_engine(url, hide_parameters=True)

    def migrate(self) -> None:
        """Bring the tables to this version's shape; where they have it, a locked database is not waited for.

        Raises:
            CatalogError: a newer version made them.
        """
        settings = AlembicConfig()
        settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.execution_options(readonly=True).connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
        if revision == ScriptDirectory.from_config(settings).get_current_head():
            return
        with self.engine.connect() as connection, _rebuilding(connection), connection.begin():
            settings.attributes["connection"] = connection
            try:
                command.upgrade(settings, "head")
            except CommandError as error:
                raise CatalogError(f"the catalog is of another version of dicom-node than this one: {error}") from error

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


def _sqlite(url: str, busy_s: float) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": busy_s})

    @event.listens_for(engine, "handle_error")
    def _explain(context: ExceptionContext) -> None:
        damage = describe_damage(context.original_exception, Path(engine.url.database or ""), _MADE_ANEW)
        if damage is not None:
            raise damage from context.original_exception

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
