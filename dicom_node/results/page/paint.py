"""A sheet to pixels, dark as reading rooms are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Canvas
from PIL import ImageDraw

from dicom_node.results.page.content import Colour
from dicom_node.results.page.layout import WIDTH, Fill, Image, Sheet, Text, Tone
from dicom_node.results.page.typeface import font_of

Pixels = Mapping[int, NDArray[np.uint8]]
"""A frame's index in the stack -> its picture (rows, columns, 3), as a viewer shows it."""

_DARK: Final[Mapping[Tone, Colour]] = {
    "paper": (14, 16, 20),
    "band": (52, 38, 6),
    "warning": (255, 196, 77),
    "ink": (238, 240, 243),
    "dim": (166, 173, 184),
    "rule": (58, 64, 74),
    "letter": (255, 255, 255),
    "shade": (0, 0, 0),
    "field": (0, 0, 0),
}
_BOLD: Final = 0.5  # pixels that bold letters are thicker by on each side
_FRACTION_BITS: Final = 4  # of a pixel, in which outlines are placed
THICKNESS: Final = 2  # pixels of an outline


def paint(sheet: Sheet, pixels: Pixels, *, outlined: bool = True) -> NDArray[np.uint8]:
    """Return a sheet (rows, columns, 3) in red, green and blue; without its outlines where those are not wanted."""
    canvas = Canvas.new("RGB", (WIDTH, sheet.height), _DARK["paper"])
    pen = ImageDraw.Draw(canvas)
    for item in sheet.items:
        match item:
            case Fill():
                _fill(pen, item)
            case Text():
                _write(pen, item)
            case Image():
                canvas.paste(Canvas.fromarray(_picture(item, pixels, outlined=outlined)), (int(item.x), int(item.y)))
    return np.asarray(canvas, dtype=np.uint8)


def places(polygon: NDArray[np.float64], source: tuple[int, ...], image: Image) -> NDArray[np.float64]:
    """Bring corners (points, 2) of the source (rows, columns) to a picture's own columns and rows."""
    scale = np.array([image.width / source[1], image.height / source[0]])
    return np.asarray(polygon * scale, dtype=np.float64)


def _fill(pen: ImageDraw.ImageDraw, item: Fill) -> None:
    corners = (item.x, item.y, item.x + item.width - 1, item.y + item.height - 1)
    pen.rectangle(corners, fill=_colour(item.colour))


def _write(pen: ImageDraw.ImageDraw, item: Text) -> None:
    pen.text(
        (item.x, item.y),
        item.text,
        fill=_DARK[item.tone],
        font=font_of(item.size),
        anchor="rs" if item.right else "ls",
        stroke_width=_BOLD if item.bold else 0,
    )


def _colour(colour: Tone | Colour) -> Colour:
    return _DARK[colour] if isinstance(colour, str) else colour


def _picture(image: Image, pixels: Pixels, *, outlined: bool) -> NDArray[np.uint8]:
    source = pixels[image.picture.frame]
    is_larger = image.width * image.height > source.shape[0] * source.shape[1]
    how = cv2.INTER_CUBIC if is_larger else cv2.INTER_AREA
    canvas = np.ascontiguousarray(cv2.resize(source, (image.width, image.height), interpolation=how))
    for colour, line in _lines(image, source.shape) if outlined else ():
        cv2.polylines(canvas, [line], True, colour, THICKNESS, cv2.LINE_AA, _FRACTION_BITS)
    return np.asarray(canvas, dtype=np.uint8)


def _lines(image: Image, source: tuple[int, ...]) -> Iterator[tuple[Colour, NDArray[np.int32]]]:
    for one in image.picture.outlined:
        for polygon in one.polygons:
            inside = places(polygon, source, image) - 0.5  # a pixel's centre has whole coordinates there
            yield one.colour, np.rint(inside * 2**_FRACTION_BITS).astype(np.int32)
