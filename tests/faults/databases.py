"""The node's two databases as the tests lock them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from dicom_node.config import Config


@contextmanager
def locked(config: Config) -> Iterator[None]:
    """Hold both databases so that nobody else can write."""
    with ExitStack() as stack:
        for url in (config.catalog_url, config.work_url):
            stack.enter_context(_locked(url))
        yield


@contextmanager
def catalog_locked(config: Config) -> Iterator[None]:
    """Hold the catalog so that nobody else can write."""
    with _locked(config.catalog_url):
        yield


def are_free(config: Config) -> bool:
    """Say whether nobody is in the middle of writing to a database on SQLite; others lock no whole database."""
    try:
        for url in filter(_is_sqlite, (config.catalog_url, config.work_url)):
            with _locked(url, patience_s=0):
                pass
    except OperationalError:
        return False
    return True


@contextmanager
def _locked(url: str, patience_s: float = 120.0) -> Iterator[None]:
    settings = {"timeout": patience_s} if _is_sqlite(url) else {}
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args=settings)
    with engine.connect() as connection:
        if _is_sqlite(url):
            connection.execute(text("BEGIN IMMEDIATE"))
        else:
            connection.execute(text("BEGIN"))
            connection.execute(text(_LOCK_EVERY_TABLE))
        try:
            yield
        finally:
            connection.execute(text("ROLLBACK"))
    engine.dispose()


_LOCK_EVERY_TABLE = """
DO $$ DECLARE name text; BEGIN
FOR name IN SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') LOOP
EXECUTE 'LOCK TABLE ' || name || ' IN EXCLUSIVE MODE'; END LOOP; END $$
"""


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")
