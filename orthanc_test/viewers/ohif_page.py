"""A study open in OHIF: what a radiologist would click, and what the viewer then holds and shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from orthanc_test.viewers.console import listen

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
_FRAMES = "() => window.cornerstone.getEnabledElements().flatMap(shown => shown.viewport.getImageIds())"
_PIXELS = """
() => {
  const viewport = window.cornerstone.getEnabledElements()[0].viewport;
  const image = window.cornerstone.cache.getImage(viewport.getCurrentImageId());
  return {values: Array.from(image.getPixelData()), rows: image.rows, columns: image.columns};
}
"""


@dataclass(frozen=True)
class ShownSegment:
    """A segment as OHIF lists it; the colour is RGB, 0 to 255."""

    label: str
    index: int
    colour: tuple[int, int, int]


class OhifPage:
    """`OhifPage(browser, url, study_uid, series)`: opens a study and waits until its series are listed."""

    def __init__(self, browser: Browser, url: str, study_uid: str, series: int) -> None:
        self._page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
        self.problems = listen(self._page)
        self._page.set_default_timeout(_PATIENCE_MS)
        self._page.add_init_script("localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))")
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
        """Double-click a series' thumbnail."""
        query = f"({_DISPLAY_SETS}).find(shown => shown.SeriesInstanceUID === '{series_uid}')?.displaySetInstanceUID"
        thumbnail = self._page.evaluate(query)
        self._page.locator(f'[id="thumbnail-{thumbnail}"]').dblclick()

    def confirm(self) -> None:
        """Say yes where the viewer asks whether a segmentation or a report should be loaded."""
        self._page.get_by_role("button", name="Yes").click()

    def wait_for_text(self, text: str) -> None:
        """Wait until the page shows a text."""
        self._page.get_by_text(text).first.wait_for()

    def wait_for_image(self, series_uid: str) -> None:
        """Wait until the viewport shows an image of a series."""
        self._page.wait_for_function(f"({_FRAMES})().some(imageId => imageId.includes('/{series_uid}/'))")

    def frames(self) -> list[str]:
        """Return "SOP Instance UID/frame" of every image that the viewport scrolls through, in its order."""
        return [_instance_and_frame(image_id) for image_id in self._page.evaluate(_FRAMES)]

    def pixels(self) -> NDArray[np.int64]:
        """Return the stored values of the image that the viewport shows, (rows, columns) or with colours."""
        shown: dict[str, Any] = self._page.evaluate(_PIXELS)
        return np.array(shown["values"]).reshape(shown["rows"], shown["columns"], -1).squeeze()

    def is_alive(self) -> bool:
        """Say whether the viewer shows an image, and has not ended as an empty page."""
        return "Studies" in self.text() and self._page.locator("canvas").count() > 0

    def wait_for_segmentation(self) -> None:
        """Wait until a segmentation is loaded."""
        self._page.wait_for_function("window.services.segmentationService.getSegmentations().length > 0")

    def labels(self) -> dict[str, NDArray[np.uint8]]:
        """Return the label array that lies over each source frame, (rows, columns), by "SOP Instance UID/frame"."""
        found: list[dict[str, Any]] = self._page.evaluate(_LABELMAPS)
        return {_instance_and_frame(plane["source"]): _array(plane["labels"], plane["rows"]) for plane in found}

    def segments(self) -> list[ShownSegment]:
        """Return the segments as the panel lists them."""
        found: list[dict[str, Any]] = self._page.evaluate(_SEGMENTS)
        return [ShownSegment(row["label"], row["index"], tuple(row["colour"])) for row in found]

    def drawn(self, series_uid: str) -> int:
        """Return how many measurement groups of a report the viewer draws on images."""
        query = f"({_DISPLAY_SETS}).find(shown => shown.SeriesInstanceUID === '{series_uid}').measurements"
        return int(self._page.evaluate(f"{query}.filter(measurement => measurement.loaded).length"))

    def text(self) -> str:
        """Return the text that the page shows."""
        return self._page.inner_text("body")

    def modalities(self) -> dict[str, str]:
        """Return the modality of each series that is listed, by its UID."""
        query = f"Object.fromEntries(({_DISPLAY_SETS}).map(shown => [shown.SeriesInstanceUID, shown.Modality]))"
        found: dict[str, str] = self._page.evaluate(query)
        return found


def _instance_and_frame(image_id: str) -> str:
    words = image_id.split("/")
    return f"{words[words.index('instances') + 1]}/{words[words.index('frames') + 1]}"


def _array(labels: list[int], rows: int) -> NDArray[np.uint8]:
    return np.array(labels, np.uint8).reshape(rows, -1)
