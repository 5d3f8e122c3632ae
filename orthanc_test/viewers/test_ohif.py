"""OHIF over Orthanc's DICOMweb plug-in in a headless Chromium: what a radiologist sees of each kind of result."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, sync_playwright
from pydicom import dcmread

from dicom_node.config import Encoding
from dicom_node.demo.orthanc import Orthanc
from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.results.encode import encode
from orthanc_test.viewers.ohif import CONFIGURATION, install_ohif
from orthanc_test.viewers.ohif_page import BROWSER_FLAGS, OhifPage
from orthanc_test.viewers.origin import Origin
from tests.results import builders
from tests.results.nine import PIPELINES
from tests.support.programs import give_up, require

pytestmark = pytest.mark.viewers
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_SETTINGS = {"Plugins": [str(_PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full"}}
VOLUMES = ("liver", "kidney", "brain", "black_blood")
SEG_TYPES = ("BINARY", "LABELMAP", "FRACTIONAL")


@dataclass(frozen=True)
class OpenStudy:
    """A study in OHIF with the results of one pipeline, and what the pipeline found."""

    page: OhifPage
    stack: Stack
    segmentation: Segmentation | None

    def open_modality(self, modality: str) -> None:
        """Open the one series of a modality."""
        (series,) = [uid for uid, found in self.page.modalities().items() if found == modality]
        self.page.open_series(series)

    def found_masks(self) -> dict[tuple[str, str], NDArray[np.bool_]]:
        """Return each segment's mask on each source frame, (rows, columns), by segment and "SOP Instance UID/frame"."""
        assert self.segmentation is not None
        names = {segment.label: segment.name for segment in self.segmentation.segments}
        frames = [f"{frame.sop_instance_uid}/{frame.number or 1}" for frame in self.stack.frames]
        return _masks(names, dict(zip(frames, self.segmentation.labels, strict=True)))

    def shown_masks(self) -> dict[tuple[str, str], NDArray[np.bool_]]:
        """Return what the viewer lays over the source frames, in the same form."""
        return _masks({segment.index: segment.label for segment in self.page.segments()}, self.page.labels())


def _masks(names: Mapping[int, str], planes: Mapping[str, NDArray[Any]]) -> dict[tuple[str, str], NDArray[np.bool_]]:
    return {
        (name, frame): plane == label
        for label, name in names.items()
        for frame, plane in planes.items()
        if name != "Background" and (plane == label).any()
    }


Show = Callable[..., OpenStudy]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that speaks DICOMweb."""
    require("Orthanc")
    if not _PLUGIN.exists():
        give_up("no DICOMweb plug-in of Orthanc (Debian's orthanc-dicomweb)")
    with Orthanc(tmp_path_factory.mktemp("archive"), settings=_SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    require("chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(BROWSER_FLAGS))


@pytest.fixture(scope="module")
def viewer(archive: Orthanc) -> Iterator[str]:
    """The address of OHIF."""
    with Origin(install_ohif(), {"/app-config.js": CONFIGURATION}, archive.url) as origin:
        yield origin.url


@pytest.fixture
def show(archive: Orthanc, browser: Browser, viewer: str, tmp_path: Path) -> Iterator[Show]:
    """Encode what a pipeline found, put it beside its sources in the archive, and open the study."""
    opened: list[OhifPage] = []

    def open_results(pipeline: str, outputs: Sequence[str], **encoding: object) -> OpenStudy:
        stack, found = PIPELINES[pipeline][0](tmp_path)
        request = builders.request(stack, *found, outputs=outputs, encoding=Encoding(**encoding))
        encode(request, tmp_path / "out")
        archive.clear()
        files = sorted(tmp_path.rglob("*.dcm"))
        for file in files:
            archive.upload(file)
        series = {str(dcmread(file, stop_before_pixels=True).SeriesInstanceUID) for file in files}
        opened.append(OhifPage(browser, viewer, stack.study_uid, len(series)))
        segmentations = [finding for finding in found if isinstance(finding, Segmentation)]
        return OpenStudy(opened[-1], stack, segmentations[0] if segmentations else None)

    yield open_results
    for page in opened:
        page.close()


@pytest.mark.parametrize("seg_type", SEG_TYPES)
@pytest.mark.parametrize("pipeline", VOLUMES)
def test_a_segmentation_of_a_volume_lies_where_the_pipeline_found_it(pipeline: str, seg_type: str, show: Show) -> None:
    study = show(pipeline, ["SEG"], seg_type=seg_type)
    study.open_modality("SEG")
    study.page.wait_for_segmentation()
    shown, found = study.shown_masks(), study.found_masks()
    assert shown.keys() == found.keys()
    assert [place for place, mask in found.items() if not np.array_equal(shown[place], mask)] == []
    assert study.page.problems == []
