"""Sheets to a PDF on A4, light as paper is: text that can be searched, pictures without loss, outlines as lines."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from PIL import Image as Canvas
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas as Document

from dicom_node.results.page.content import Colour
from dicom_node.results.page.layout import WIDTH, Fill, Image, Item, Sheet, Text, Tone
from dicom_node.results.page.paint import THICKNESS, Pixels, places
from dicom_node.results.page.typeface import pdf_font
from dicom_node.results.provenance import MANUFACTURER

_LIGHT: Final[Mapping[Tone, Colour]] = {
    "paper": (255, 255, 255),
    "band": (255, 236, 196),
    "warning": (122, 72, 0),
    "ink": (20, 22, 26),
    "dim": (92, 99, 110),
    "rule": (205, 210, 217),
    "letter": (255, 255, 255),
    "shade": (0, 0, 0),
    "field": (240, 242, 245),
}
_POINTS: Final = A4[0] / WIDTH  # of a pixel of the sheet


def write_pdf(sheets: Sequence[Sheet], pixels: Pixels, title: str) -> bytes:
    """Return a PDF, the same bytes whenever it is made of the same sheets."""
    pdfmetrics.registerFont(pdf_font())
    file = io.BytesIO()
    document = Document(file, pagesize=A4, invariant=1, pageCompression=1)
    document.setTitle(title)
    document.setAuthor(MANUFACTURER)
    for sheet in sheets:
        for item in sheet.items:
            _draw(document, item, pixels)
        document.showPage()
    document.save()
    return file.getvalue()


def _draw(document: Any, item: Item, pixels: Pixels) -> None:
    match item:
        case Fill():
            _colour(document, item.colour)
            document.rect(*_rectangle(item), stroke=0, fill=1)
        case Text():
            _write(document, item)
        case Image():
            _picture(document, item, pixels)


def _write(document: Any, item: Text) -> None:
    """Write a line; bold letters are those of the one typeface, their edges drawn as well."""
    font = pdf_font().fontName
    text = document.beginText()
    text.setFont(font, item.size * _POINTS)
    text.setFillColorRGB(*_share(_LIGHT[item.tone]))
    text.setStrokeColorRGB(*_share(_LIGHT[item.tone]))
    text.setTextRenderMode(2 if item.bold else 0)
    x = item.x * _POINTS
    if item.right:
        x -= pdfmetrics.stringWidth(item.text, font, item.size * _POINTS)
    text.setTextOrigin(x, A4[1] - item.y * _POINTS)
    text.textOut(item.text)
    document.saveState()  # how letters are drawn would hold for all that follow
    document.setLineWidth(_POINTS)
    document.drawText(text)
    document.restoreState()


def _picture(document: Any, item: Image, pixels: Pixels) -> None:
    source = pixels[item.picture.frame]
    document.drawImage(ImageReader(Canvas.fromarray(source)), *_rectangle(item))
    document.setLineWidth(THICKNESS * _POINTS)
    for one in item.picture.outlined:
        document.setStrokeColorRGB(*_share(one.colour))
        for polygon in one.polygons:
            path = document.beginPath()
            points = [_point(item, x, y) for x, y in places(polygon, source.shape, item)]
            path.moveTo(*points[0])
            for point in points[1:]:
                path.lineTo(*point)
            path.close()
            document.drawPath(path, stroke=1, fill=0)


def _point(item: Image, x: float, y: float) -> tuple[float, float]:
    return (item.x + x) * _POINTS, A4[1] - (item.y + y) * _POINTS


def _rectangle(item: Fill | Image) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height in points."""
    bottom = A4[1] - (item.y + item.height) * _POINTS
    return item.x * _POINTS, bottom, item.width * _POINTS, item.height * _POINTS


def _colour(document: Any, colour: Tone | Colour) -> None:
    document.setFillColorRGB(*_share(_LIGHT[colour] if isinstance(colour, str) else colour))


def _share(colour: Colour) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255
