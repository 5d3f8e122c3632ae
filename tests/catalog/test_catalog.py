import sqlite3
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from dicom_node import catalog as catalog_module
from dicom_node.catalog import Base, Catalog, Delivery, Series, Study


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    made.migrate()
    return made


def test_migrations_make_the_tables_that_the_code_declares(catalog: Catalog) -> None:
    with catalog.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_migrating_twice_changes_nothing(catalog: Catalog) -> None:
    with catalog.write() as session:
        session.add(Study(uid="1.2", first_at=1.0, last_at=2.0))
    catalog.migrate()
    with catalog.read() as session:
        assert session.get_one(Study, "1.2").last_at == 2.0


def test_a_locked_catalog_of_the_right_shape_holds_no_start_up(catalog: Catalog) -> None:
    with catalog.engine.connect() as connection:
        connection.execute(text("SELECT 1"))  # begins immediately, so holds the write lock
        began = time.monotonic()
        Catalog(catalog.url).migrate()
    assert time.monotonic() - began < 25  # of the 30 s that a writer waits


@pytest.mark.usefixtures("catalog")
def test_sqlite_writes_ahead(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_a_failed_transaction_wrote_is_gone(catalog: Catalog) -> None:
    def write_and_fail() -> None:
        with catalog.write() as session:
            session.add(Study(uid="1.2", first_at=1.0, last_at=2.0))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    with catalog.read() as session:
        assert session.get(Study, "1.2") is None


def test_a_series_without_its_study_is_refused(catalog: Catalog) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"), catalog.write() as session:
        session.add(Series(uid="1.3", study_uid="1.2", last_at=1.0))


def test_a_catalog_of_the_first_tables_keeps_its_rows(tmp_path: Path) -> None:
    old = Catalog(f"sqlite:///{tmp_path / 'old.sqlite'}")
    settings = Config()
    settings.set_main_option("script_location", str(Path(catalog_module.__file__).parent / "migrations"))
    with old.engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
        connection.execute(text("INSERT INTO study (uid, first_at, last_at) VALUES ('1.2', 1.0, 2.0)"))
    old.migrate()
    with old.read() as session:
        assert session.get_one(Study, "1.2").last_at == 2.0
        assert session.scalars(select(Delivery)).all() == []
