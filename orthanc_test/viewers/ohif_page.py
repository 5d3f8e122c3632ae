"""A study open in OHIF: what a radiologist would click, and what the viewer then holds and shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, ConsoleMessage, Page

BROWSER_FLAGS = (
    "--no-sandbox",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_PATIENCE_MS = 60_000.0
_DISPLAY_SETS = "window.services?.displaySetService?.getActiveDisplaySets() ?? []"
_LABELMAPS = """
() => window.services.segmentationService.getSegmentations().flatMap(segmentation => {
  const labelmap = segmentation.representationData.Labelmap;
  return labelmap.imageIds.map((imageId, index) => ({
    source: labelmap.referencedImageIds[index],
    labels: Array.from(window.cornerstone.cache.getImage(imageId).getPixelData()),
    rows: window.cornerstone.cache.getImage(imageId).rows,
  }));
})
"""
_SEGMENTS = """
() => window.services.segmentationService.getSegmentations().flatMap(segmentation =>
  Object.values(segmentation.segments).map(segment => {
    const viewport = window.services.viewportGridService.getActiveViewportId();
    const colour = window.services.segmentationService.getSegmentColor(
      viewport, segmentation.segmentationId, segment.segmentIndex);
    return { label: segment.label, index: segment.segmentIndex, colour: Array.from(colour).slice(0, 3) };
  }))
"""
_MEASUREMENTS = """
() => window.services.measurementService.getMeasurements().map(measurement => ({
  label: measurement.label ?? "", text: (measurement.displayText?.primary ?? []).join("; "),
}))
"""


@dataclass(frozen=True)
class ShownSegment:
    """A segment as OHIF lists it; the colour is RGB, 0 to 255."""

    label: str
    index: int
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class ShownMeasurement:
    """A measurement as OHIF's panel lists it."""

    label: str
    text: str


class OhifPage:
    """`OhifPage(browser, url, study_uid, series)`: opens a study and waits until its series are listed."""

    def __init__(self, browser: Browser, url: str, study_uid: str, series: int) -> None:
        self.problems: list[str] = []  # every error of the console and of the page
        self._page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
        self._page.set_default_timeout(_PATIENCE_MS)
        self._page.add_init_script("localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))")
        self._page.on("console", self._note)
        self._page.on("pageerror", lambda error: self.problems.append(str(error)))
        self._page.goto(f"{url}/viewer?StudyInstanceUIDs={study_uid}")
        self._page.wait_for_function(f"({_DISPLAY_SETS}).length >= {series}")
        self._page.wait_for_selector("canvas")

    def close(self) -> None:
        """Close the page."""
        self._page.close()

    def picture(self, path: Path) -> None:
        """Keep what the page shows."""
        self._page.screenshot(path=path)

    def open_series(self, series_uid: str) -> None:
        """Double-click a series' thumbnail, and confirm that a segmentation or report be loaded."""
        query = f"({_DISPLAY_SETS}).find(shown => shown.SeriesInstanceUID === '{series_uid}')?.displaySetInstanceUID"
        thumbnail = self._page.evaluate(query)
        self._page.locator(f'[id="thumbnail-{thumbnail}"]').dblclick()

    def wait_for_segmentation(self) -> None:
        """Wait until a segmentation is loaded."""
        self._page.wait_for_function("window.services.segmentationService.getSegmentations().length > 0")

    def wait_for_measurements(self, count: int) -> None:
        """Wait until so many measurements are listed."""
        self._page.wait_for_function(f"window.services.measurementService.getMeasurements().length >= {count}")

    def labels(self) -> dict[str, NDArray[np.uint8]]:
        """Return the label array that lies over each source frame, (rows, columns), by "SOP Instance UID/frame"."""
        found: list[dict[str, Any]] = self._page.evaluate(_LABELMAPS)
        return {_instance_and_frame(plane["source"]): _array(plane["labels"], plane["rows"]) for plane in found}

    def segments(self) -> list[ShownSegment]:
        """Return the segments as the panel lists them."""
        found: list[dict[str, Any]] = self._page.evaluate(_SEGMENTS)
        return [ShownSegment(row["label"], row["index"], tuple(row["colour"])) for row in found]

    def measurements(self) -> list[ShownMeasurement]:
        """Return the measurements as the panel lists them."""
        found: list[dict[str, str]] = self._page.evaluate(_MEASUREMENTS)
        return [ShownMeasurement(row["label"], row["text"]) for row in found]

    def text(self) -> str:
        """Return the text that the page shows."""
        return self._page.inner_text("body")

    def modalities(self) -> dict[str, str]:
        """Return the modality of each series that is listed, by its UID."""
        query = f"Object.fromEntries(({_DISPLAY_SETS}).map(shown => [shown.SeriesInstanceUID, shown.Modality]))"
        found: dict[str, str] = self._page.evaluate(query)
        return found

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(message.text)


def _instance_and_frame(image_id: str) -> str:
    words = image_id.split("/")
    return f"{words[words.index('instances') + 1]}/{words[words.index('frames') + 1]}"


def _array(labels: list[int], rows: int) -> NDArray[np.uint8]:
    return np.array(labels, np.uint8).reshape(rows, -1)
