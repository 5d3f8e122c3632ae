"""A study open in dwv: what the viewer reads from a segmentation and a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from orthanc_test.viewers.console import listen

_LABELS = """
id => {
  const image = app.getData(id).image, geometry = image.getGeometry();
  const size = geometry.getSize(), length = size.get(0) * size.get(1);
  return geometry.getOrigins().map((origin, index) => ({
    place: [origin.getX(), origin.getY(), origin.getZ()], columns: size.get(0),
    labels: Array.from(image.getBuffer().slice(index * length, (index + 1) * length)),
  }));
}
"""
_ANNOTATIONS = """
id => (app.getData(id).annotationGroup?.getList() ?? []).map(annotation => ({
  name: annotation.trackingId ?? "",
  image: annotation.referencedSopInstanceUID ?? "",
  values: Object.fromEntries(Object.entries(annotation.quantification ?? {}).map(
    ([name, measured]) => [name, Number(measured.value)])),
}))
"""


@dataclass(frozen=True)
class Annotation:
    """What dwv draws of one measurement group: on which SOP Instance, with which values by name."""

    name: str
    image: str
    values: dict[str, float]


class DwvPage:
    """`DwvPage(browser, url)`: an empty viewer."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
        self.problems = listen(self._page)
        self._page.goto(url)
        self._page.wait_for_function("window.load !== undefined")

    def close(self) -> None:
        """Close the page."""
        self._page.close()

    def picture(self, path: Path) -> None:
        """Keep what the page shows."""
        self._page.screenshot(path=path)

    def load(self, urls: list[str]) -> str:
        """Load the files of a series; return dwv's name for it."""
        return str(self._page.evaluate("urls => window.load(urls)", urls))

    def labels(self, name: str) -> list[tuple[tuple[float, ...], NDArray[np.int64]]]:
        """Return a segmentation's planes: the place of the first pixel, LPS mm, and the label array (rows, columns)."""
        planes: list[dict[str, Any]] = self._page.evaluate(_LABELS, name)
        return [(tuple(one["place"]), np.array(one["labels"]).reshape(-1, one["columns"])) for one in planes]

    def annotations(self, name: str) -> list[Annotation]:
        """Return what dwv draws of a report."""
        found: list[dict[str, Any]] = self._page.evaluate(_ANNOTATIONS, name)
        return [Annotation(one["name"], one["image"], one["values"]) for one in found]
