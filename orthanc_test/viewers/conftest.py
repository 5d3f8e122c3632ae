"""An archive that speaks DICOMweb, two viewers over it, and what the tests leave: pictures and the matrix."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from pydicom import dcmread

from dicom_node.config import Peer
from dicom_node.demo.orthanc import Orthanc
from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.results import EncodedFile, encode, encode_refusal
from orthanc_test.viewers.cases import CASES
from orthanc_test.viewers.dwv import DWV, pages
from orthanc_test.viewers.dwv_page import DwvPage
from orthanc_test.viewers.matrix import Matrix
from orthanc_test.viewers.npm import NotAtHandError
from orthanc_test.viewers.ohif import CONFIGURATION, OHIF
from orthanc_test.viewers.ohif_page import BROWSER_FLAGS, OhifPage
from orthanc_test.viewers.origin import Origin
from orthanc_test.viewers.studies import OpenStudy
from tests.results import builders
from tests.support.programs import give_up, require

_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_SETTINGS = {"Plugins": [str(_PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full"}}
_PLACE = {"ae_title": "VIEWER", "host": "127.0.0.1", "port": 104}  # of the peer whose settings a test names
_MATRIX = pytest.StashKey[Matrix]()

Show = Callable[..., OpenStudy]
Saw = Callable[[str, str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the pictures be kept, and the matrix be written into a file, between its two marks."""
    parser.addoption("--pictures", type=Path, help="keep a picture of what each viewer showed in this folder")
    parser.addoption("--viewers-table", type=Path, help="write the matrix of kinds and viewers into this file")


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Put the matrix where it is asked for."""
    matrix, path = config.stash.get(_MATRIX, None), config.getoption("--viewers-table")
    if matrix is not None and path:
        matrix.write_into(path)


@pytest.fixture
def saw(pytestconfig: pytest.Config) -> Saw:
    """Remembers what a viewer made of a kind of result."""
    return pytestconfig.stash.setdefault(_MATRIX, Matrix()).add


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that speaks DICOMweb."""
    require("Orthanc")
    if not _PLUGIN.exists():
        give_up("no DICOMweb plug-in of Orthanc (Debian's orthanc-dicomweb)")
    with Orthanc(tmp_path_factory.mktemp("archive"), settings=_SETTINGS) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    require("chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(BROWSER_FLAGS))


@pytest.fixture(scope="session")
def ohif(archive: Orthanc) -> Iterator[str]:
    """The address of OHIF."""
    try:
        folder = OHIF.install()
    except NotAtHandError as error:
        pytest.skip(str(error))
    with Origin(folder, {"/app-config.js": CONFIGURATION}, archive.url) as origin:
        yield origin.url


@pytest.fixture(scope="session")
def dwv(archive: Orthanc) -> Iterator[str]:
    """The address of dwv."""
    try:
        folder, own = DWV.install(), pages()
    except NotAtHandError as error:
        pytest.skip(str(error))
    with Origin(folder, own, archive.url) as origin:
        yield origin.url


@dataclass(frozen=True)
class MadeStudy:
    """A case's images and results, on disk."""

    stack: Stack
    segmentation: Segmentation | None
    results: tuple[EncodedFile, ...]
    files: list[Path] = field(repr=False)  # images and results

    @property
    def series(self) -> set[str]:
        """The Series Instance UIDs."""
        return {str(dcmread(file, stop_before_pixels=True).SeriesInstanceUID) for file in self.files}


Make = Callable[..., MadeStudy]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Encode what a case found, or that it was refused."""

    def make_results(case: str, outputs: Sequence[str], refusal: str = "", **encoding: object) -> MadeStudy:
        stack, found = CASES[case](tmp_path)
        request = builders.request(
            stack,
            *(() if refusal else found),
            outputs=tuple(outputs),
            encoding=Peer.model_validate(_PLACE | encoding).encoding,
        )
        folder = tmp_path / "out"
        results = encode_refusal(request, refusal, folder) if refusal else encode(request, folder)
        segmentation = next((one for one in found if isinstance(one, Segmentation)), None)
        return MadeStudy(stack, segmentation, results, sorted(tmp_path.rglob("*.dcm")))

    return make_results


@pytest.fixture
def show(make: Make, archive: Orthanc, browser: Browser, ohif: str, keep: Keep) -> Iterator[Show]:
    """Put results beside their sources in the archive, and open the study in OHIF."""
    opened: list[OhifPage] = []

    def show_results(case: str, outputs: Sequence[str], **how: object) -> OpenStudy:
        made = make(case, outputs, **how)
        archive.clear()
        for file in made.files:
            archive.upload(file)
        opened.append(OhifPage(browser, ohif, made.stack.study_uid, len(made.series)))
        return OpenStudy(opened[-1], made.stack, made.results, made.segmentation)

    yield show_results
    for page in opened:
        keep(page)
        page.close()


@dataclass(frozen=True)
class LoadedInDwv:
    """A case's images and results, loaded in dwv: what each result is called there."""

    page: DwvPage
    made: MadeStudy
    names: dict[str, str]  # by kind


LoadInDwv = Callable[..., LoadedInDwv]


@pytest.fixture
def load_in_dwv(make: Make, archive: Orthanc, browser: Browser, dwv: str, keep: Keep) -> Iterator[LoadInDwv]:
    """Put results beside their sources in the archive, and load both in dwv."""
    opened: list[DwvPage] = []

    def address(sop_uid: str) -> str:
        found = archive.find(sop_uid)
        assert found is not None
        return f"{dwv}/instances/{found.id}/file"

    def load(case: str, outputs: Sequence[str], **encoding: object) -> LoadedInDwv:
        made = make(case, outputs, **encoding)
        archive.clear()
        for file in made.files:
            archive.upload(file)
        page = DwvPage(browser, dwv)
        opened.append(page)
        page.load([address(uid) for uid in dict.fromkeys(frame.sop_instance_uid for frame in made.stack.frames)])
        return LoadedInDwv(
            page, made, {file.kind: page.load([address(file.sop_instance_uid)]) for file in made.results}
        )

    yield load
    for page in opened:
        keep(page)
        page.close()


Keep = Callable[[OhifPage | DwvPage], None]


@pytest.fixture
def keep(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Keep:
    """Keep a picture of a page under the test's name, where a folder is given."""
    folder: Path | None = pytestconfig.getoption("--pictures")
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")

    def keep_picture(page: OhifPage | DwvPage) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            page.picture(folder / f"{name}.png")

    return keep_picture
