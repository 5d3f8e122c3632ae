"""What can be wrong at a node's start: databases that are locked, damaged or elsewhere, and another supervisor."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from dicom_node.catalog import SUPERVISOR, Catalog, Instance, Lease, Series, Study
from dicom_node.config import Config
from dicom_node.errors import BootError, CatalogAwayError, CatalogError
from dicom_node.node import Node
from dicom_node.supervision import Supervision
from tests.deliver.pacs import unused_port
from tests.receive.node import eventually
from tests.receive.wire import ACCEPTED, connected

Supervise = Callable[[Config], Supervision]


def configured(folder: Path, catalog: str = "", lease_s: float = 15.0) -> Config:
    node = {"ae_title": "NODE", "port": unused_port(), "receivers": 1}
    return Config.model_validate(
        {
            "folder": folder,
            "node": node,
            "database": {"catalog": catalog},
            "storage": {"folder": folder, "min_free_gb": 0},
            "workers": {"lease_s": lease_s},
        }
    )


@pytest.fixture
def supervise() -> Iterator[Supervise]:
    with ExitStack() as held:

        def begin(config: Config) -> Supervision:
            config.storage_folder.mkdir(exist_ok=True)
            supervision = Supervision(config, lost=lambda: None)
            held.callback(supervision.close)
            supervision.lock_folder()
            return supervision

        yield begin


def test_one_supervisor_at_a_time_holds_a_folder(tmp_path: Path, supervise: Supervise) -> None:
    first = supervise(configured(tmp_path))
    with pytest.raises(BootError, match=r"process \d+ on .* runs this node already"):
        supervise(configured(tmp_path))
    first.close()
    supervise(configured(tmp_path)).open_catalog()


def test_one_supervisor_at_a_time_holds_a_catalog(tmp_path: Path, supervise: Supervise) -> None:
    shared = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    first = supervise(configured(tmp_path / "a", shared, lease_s=0.6))
    first.open_catalog()
    second = supervise(configured(tmp_path / "b", shared, lease_s=0.6))
    with pytest.raises(CatalogAwayError, match="its lease has not run out yet"):
        second.open_catalog()
    eventually(lambda: refuses(second, BootError))  # the lease was renewed
    first.close()
    second.open_catalog()


def test_the_lease_of_a_supervisor_that_died_elsewhere_runs_out(tmp_path: Path, supervise: Supervise) -> None:
    shared = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    catalog = Catalog(shared)
    catalog.migrate()
    with catalog.write() as session:
        holder = "process 7 on elsewhere with /data"
        session.add(Lease(executor=SUPERVISOR, until=time.time() + 0.5, holder=holder))
    survivor = supervise(configured(tmp_path / "b", shared, lease_s=0.6))
    with pytest.raises(CatalogAwayError, match="process 7 on elsewhere with /data ran this node"):
        survivor.open_catalog()
    eventually(lambda: not refuses(survivor, CatalogAwayError))


def refuses(supervision: Supervision, error: type[Exception]) -> bool:
    try:
        supervision.open_catalog()
    except error:
        return True
    except CatalogAwayError:
        return False
    return False


def kept(catalog: Catalog) -> None:
    with catalog.write() as session:
        session.add(Study(uid="1.2", first_at=1.0, last_at=1.0))
        session.flush()
        session.add(Series(uid="1.2.3", study_uid="1.2", last_at=1.0))
        session.flush()
        names = ("sop_class_uid", "transfer_syntax_uid", "path", "sha256", "caller")
        session.add(
            Instance(uid="1.2.3.4", study_uid="1.2", series_uid="1.2.3", size=1, at=1.0, **dict.fromkeys(names, "x"))
        )


def test_databases_without_their_folders_are_noticed(tmp_path: Path, supervise: Supervise) -> None:
    config = configured(tmp_path)
    catalog = Catalog(config.catalog_url)
    catalog.migrate()
    kept(catalog)
    supervision = supervise(config)
    with pytest.raises(BootError, match="is the disk mounted, were the folders restored"):
        supervision.open_catalog()
    (tmp_path / "storage" / "1.2").mkdir(parents=True)
    supervision.open_catalog()


def test_folders_without_their_databases_are_noticed(
    tmp_path: Path, supervise: Supervise, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "storage" / "1.2").mkdir(parents=True)
    supervise(configured(tmp_path)).open_catalog()
    assert "the catalog is empty" in caplog.text
    assert "they are registered" in caplog.text


@pytest.mark.parametrize("at", [0, 100, 4096])
def test_a_damaged_catalog_is_said_with_what_to_do(tmp_path: Path, at: int, supervise: Supervise) -> None:
    config = configured(tmp_path)
    catalog = Catalog(config.catalog_url)
    catalog.migrate()
    catalog.close()
    damage(tmp_path / "catalog.sqlite", at)
    with pytest.raises(CatalogError, match=r"catalog\.sqlite is damaged .* restore it from a backup, or move it"):
        supervise(config).open_catalog()


def damage(path: Path, at: int) -> None:
    for log in path.parent.glob(f"{path.name}-*"):
        log.unlink()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"nothing that was written here before" * 1000)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a database as a program does that repairs or copies it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("name", ["catalog.sqlite", "work.sqlite"])
def test_a_node_receives_while_a_database_is_locked_at_its_start_and_goes_on_after(tmp_path: Path, name: str) -> None:
    config = configured(tmp_path)
    node = Node(config)
    watching = threading.Thread(target=node.run)
    with locked(tmp_path / name):
        node.start()
        watching.start()
        with connected(config.node.port) as wire:
            assert wire.receive()[0] == ACCEPTED
    eventually(lambda: None not in (node.pid_of("registrar"), node.pid_of("worker")), within_s=60)
    node.stop()
    watching.join(60)
    assert not watching.is_alive()


def test_a_node_with_damaged_jobs_says_what_to_do(tmp_path: Path) -> None:
    config = configured(tmp_path)
    (tmp_path / "work.sqlite").write_bytes(b"no database at all" * 1000)
    with pytest.raises(BootError, match=r"work\.sqlite is damaged .* jobs are made anew"):
        Node(config).start()
