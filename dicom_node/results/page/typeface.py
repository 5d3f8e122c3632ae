"""The one typeface of pages: which characters it has, how wide a text is, where it breaks into lines."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from PIL import ImageFont
from reportlab.pdfbase.ttfonts import TTFont

from dicom_node.printable import one_line

FILE: Final = Path(__file__).parent / "fonts" / "NotoSansKR-Regular-subset.ttf"

_BETWEEN: Final = "  ·  "


@functools.lru_cache(maxsize=32)
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Return the typeface in a size in pixels, laid out the same way on every machine."""
    return ImageFont.truetype(str(FILE), size, layout_engine=ImageFont.Layout.BASIC)


@functools.cache
def pdf_font() -> TTFont:
    """Return the typeface as a PDF embeds it."""
    return TTFont("page", str(FILE))


def has_glyphs(text: str) -> bool:
    """Say whether every character of a text can be drawn."""
    return all(ord(character) in _glyphs() for character in text)


def drawable(text: str) -> str:
    """Return a text with each character that the typeface lacks as its code point, e.g. `[U+6D2A]`."""
    known = _glyphs()
    return "".join(one if ord(one) in known else f"[U+{ord(one):04X}]" for one in one_line(text))


def width_of(text: str, size: int) -> float:
    """Return how wide a text is in pixels."""
    return float(font_of(size).getlength(text))


def wrap(text: str, size: int, width: float) -> tuple[str, ...]:
    """Break a text into lines of at most `width` pixels, between words where they fit."""
    lines: list[str] = []
    for piece in (piece for word in text.split(" ") for piece in _pieces(word, size, width)):
        joined = f"{lines[-1]} {piece}" if lines else piece
        if lines and width_of(joined, size) <= width:
            lines[-1] = joined
        else:
            lines.append(piece)
    return tuple(lines)


def join(parts: Iterable[str], size: int, width: float) -> tuple[str, ...]:
    """Return parts beside each other in lines of at most `width` pixels, broken between parts where they fit."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]}{_BETWEEN}{part}" if lines else part
        if lines and width_of(joined, size) <= width:
            lines[-1] = joined
        else:
            lines += wrap(part, size, width)
    return tuple(lines)


def _pieces(word: str, size: int, width: float) -> Iterator[str]:
    """Yield a word, in pieces where it is wider than a line."""
    piece = ""
    for character in word:
        if piece and width_of(piece + character, size) > width:
            yield piece
            piece = ""
        piece += character
    yield piece


@functools.cache
def _glyphs() -> frozenset[int]:
    return frozenset(pdf_font().face.charToGlyph)
