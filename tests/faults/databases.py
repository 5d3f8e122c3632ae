"""The node's two databases as the tests lock them, and a PostgreSQL of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from dicom_node.config import Config
from orthanc_test.orthanc import free_port

_USER = "postgres"  # what Debian's package makes; its server refuses to run as root
_NAMES = ("catalog", "work")
_PLACES = "/usr/lib/postgresql/*/bin"


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


def postgres_folder() -> Path | None:
    """Return where initdb and pg_ctl lie, None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/").glob(_PLACES.lstrip("/")))
    return places[-1] if places else None


class Postgres:
    """`with Postgres(programs) as server`: a cluster of our own on a free port of the loopback address."""

    def __init__(self, programs: Path) -> None:
        self.port = free_port()
        self._temporary = TemporaryDirectory(prefix="postgres-")
        self._folder = Path(self._temporary.name) / "cluster"
        self._programs = programs

    def __enter__(self) -> Postgres:
        if os.geteuid() == 0:
            shutil.chown(self._temporary.name, _USER)
        self._run("initdb", "--auth=trust", f"--username={_USER}", "--encoding=UTF8")
        settings = f"-p {self.port} -k '' -c listen_addresses=127.0.0.1 -c max_connections=200"
        self._run("pg_ctl", "start", "-w", "-l", str(self._folder / "server.log"), "-o", settings)
        self.empty()
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate")
        self._temporary.cleanup()

    def empty(self) -> None:
        """Make both databases anew, whatever stands in them."""
        for name in _NAMES:
            self._sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")

    @property
    def urls(self) -> dict[str, str]:
        """The two URLs as `[database]` names them."""
        return {name: self.url(name) for name in _NAMES}

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self.port}/{database}"

    def _sql(self, *statements: str) -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def _run(self, program: str, *words: str) -> None:
        user = _USER if os.geteuid() == 0 else None
        command = [str(self._programs / program), "-D", str(self._folder), *words]
        subprocess.run(command, check=True, user=user, stdout=subprocess.DEVNULL, timeout=120, cwd="/")
