"""A PostgreSQL of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import create_engine, text

from dicom_node.demo.orthanc import free_port
from tests.support.programs import give_up

_USER = "postgres"  # what Debian's package makes; its server refuses to run as root
_NAMES = ("catalog", "work")
_PLACES = "/usr/lib/postgresql/*/bin"


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


@pytest.fixture
def postgres(postgres_server: Postgres) -> Postgres:
    """An empty PostgreSQL."""
    postgres_server.empty()
    return postgres_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One PostgreSQL for all tests."""
    programs = postgres_folder()
    if programs is None:
        give_up("PostgreSQL is not installed")
    with Postgres(programs) as running:
        yield running
