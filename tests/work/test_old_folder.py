"""A folder and a catalogue of the time when one object was kept of each SOP Instance UID."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from pydicom import FileDataset
from sqlalchemy import text

import dicom_node.catalog
from dicom_node.catalog import Catalog, Instance, Series, Stack, VersionState
from dicom_node.verify import verify
from tests.support.dicom import encoded
from tests.support.postgres import Postgres
from tests.work.house import House
from tests.work.sending import PACS, SCANNER, arrive, register
from tests.work.test_versions import CONFIG, HEADER, MOVED, PIXELS, changed, image

_ROWS = (
    "INSERT INTO study VALUES ('1.2.1', 1, 2)",
    "INSERT INTO series VALUES ('1.2.1.1', '1.2.1', 2, 1, 1, 1, 1, 0, 0, 'SCANNER', 1, 0, 0, 0)",
    "INSERT INTO instance VALUES ('1.2.1.1.1', '1.2.1.1', :sop_class, '1.2.840.10008.1.2.1', :path, :size, :sha256,"
    " 'SCANNER', 2)",
    "INSERT INTO stack VALUES ('ab', '1.2.1.1', '1.2.1', 1, 1, 'NOTHING', '', '{\"frames\"\\: [], \"facts\"\\: {}}',"
    " '', NULL, '{}', 5, '', false, 0, 0, 2)",
)


def migrate_to(catalog: Catalog, revision: str) -> None:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(Path(dicom_node.catalog.__file__).parent / "migrations"))
    with catalog.engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, revision)


def put_as_before(folder: Path, catalog: Catalog, one: FileDataset) -> None:
    """Lay an object on disk with its rows, as the version before did."""
    migrate_to(catalog, "0002")
    path = Path("storage") / one.StudyInstanceUID / one.SeriesInstanceUID / f"{one.SOPInstanceUID}.dcm"
    file = encoded(one)
    (folder / path.parent).mkdir(parents=True)
    (folder / path).write_bytes(file)
    sha256 = hashlib.sha256(file).hexdigest()
    values = {"sop_class": str(one.SOPClassUID), "path": str(path), "size": len(file), "sha256": sha256}
    with catalog.engine.begin() as connection:
        for row in _ROWS:
            connection.execute(text(row), values if "instance VALUES" in row else {})


def set_aside(folder: Path, one: FileDataset) -> None:
    """Lay an object where the version before put what came under a UID that was taken."""
    (folder / "conflicts").mkdir(exist_ok=True)
    (folder / "conflicts" / f"{one.SOPInstanceUID}-{hashlib.sha256(encoded(one)).hexdigest()[:12]}.dcm").write_bytes(
        encoded(one)
    )


@pytest.fixture
def old(tmp_path: Path) -> Callable[[str], House]:
    def made(url: str = "") -> House:
        folder = tmp_path / "data"
        folder.mkdir()
        catalog = Catalog(url or f"sqlite:///{folder / 'catalog.sqlite'}")
        put_as_before(folder, catalog, image())
        set_aside(folder, changed(image(), **PIXELS))
        catalog.close()
        database = f'[database]\ncatalog = "{url}"\n' if url else ""
        return House(tmp_path, CONFIG.format(port=1) + database)

    return made


def test_an_old_folder_and_catalogue_are_taken_over_with_what_was_set_aside(old: Callable[[], House]) -> None:
    house = old()
    register(house)
    assert {row.state: row.caller for row in house.rows(Instance)} == {
        VersionState.CURRENT: "SCANNER",
        VersionState.HELD: "",
    }
    assert [(row.study_uid, row.uid, row.arrived, row.gone) for row in house.rows(Series)] == [
        ("1.2.1", "1.2.1.1", 1, 0)
    ]
    assert [(row.id, row.corrected) for row in house.rows(Stack)] == [("ab", False)]
    assert [one.problem for one in verify(house.config, house.catalog, quick=False)] == ["", ""]


def test_what_an_old_row_keeps_is_known_again_and_corrected_by_who_may(old: Callable[[], House]) -> None:
    house = old()
    register(house)
    arrive(house, image(), sender=SCANNER)
    arrive(house, changed(image(), **HEADER), sender=SCANNER)  # no address was kept of who sent before
    arrive(house, changed(image(), **MOVED), sender=PACS)
    states = sorted((row.study_uid, str(row.state)) for row in house.rows(Instance))
    assert states == [("1.2.1", "held"), ("1.2.1", "held"), ("1.2.1", "superseded"), ("1.2.9", "current")]


def test_an_old_catalogue_on_postgresql_is_taken_over(old: Callable[[str], House], postgres: Postgres) -> None:
    house = old(postgres.url("catalog"))
    register(house)
    assert sorted(row.state for row in house.rows(Instance)) == [VersionState.CURRENT, VersionState.HELD]
    house.catalog.close()
