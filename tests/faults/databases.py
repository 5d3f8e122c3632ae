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

from dicom_node.config import Config
from orthanc_test.orthanc import free_port

_USER = "postgres"  # what Debian's package makes; its server refuses to run as root
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


@contextmanager
def _locked(url: str) -> Iterator[None]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", **_busy(url))
    with engine.connect() as connection:
        if url.startswith("sqlite"):
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


def _busy(url: str) -> dict[str, dict[str, float]]:
    return {"connect_args": {"timeout": 120.0}} if url.startswith("sqlite") else {}


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
        self._sql("CREATE DATABASE catalog", "CREATE DATABASE work")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate")
        self._temporary.cleanup()

    @property
    def urls(self) -> dict[str, str]:
        """The two URLs as `[database]` names them."""
        return {name: self.url(name) for name in ("catalog", "work")}

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
