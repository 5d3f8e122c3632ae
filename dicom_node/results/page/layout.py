"""A page's content to sheets of A4's proportions: texts, fills and pictures with their places in pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from dicom_node.config import Language
from dicom_node.results.page.content import Colour, Content, Picture, Row
from dicom_node.results.page.typeface import join, width_of, wrap
from dicom_node.results.page.words import say

Tone: TypeAlias = Literal["ink", "dim", "warning", "rule", "band", "paper", "letter", "shade", "field"]
"""A colour by its use; each medium has its own for it."""

WIDTH, TALLEST = 1024, 1448  # pixels of a sheet: A4's proportions
_MARGIN: Final = 40
_RIGHT: Final = WIDTH - _MARGIN
_LABELS: Final = 400  # where the labels of values begin
_GAP: Final = 16  # between two pictures, and between a label and its value
_TITLE, _HEADING, _BODY, _SMALL = 36, 24, 22, 19  # sizes of text
_LINE: Final = 32  # from one line of the body to the next
_TOGETHER: Final = 6  # lines of a sentence that stand on one sheet


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """One line; `y` is its base line, `x` where it begins, or ends where it is `right`."""

    x: float
    y: float
    text: str
    size: int
    tone: Tone
    right: bool = False
    bold: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Fill:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: Tone | Colour


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """A source frame with its outlines, its corner at a whole pixel."""

    x: float
    y: float
    width: int
    height: int
    picture: Picture

    @property
    def place(self) -> tuple[slice, slice]:
        """The rows and columns of the sheet that the picture covers."""
        top, left = int(self.y), int(self.x)
        return slice(top, top + self.height), slice(left, left + self.width)


Item: TypeAlias = Text | Fill | Image


@dataclasses.dataclass(frozen=True, slots=True)
class Sheet:
    """What is drawn on one sheet, the first below the later ones."""

    items: tuple[Item, ...]
    height: int  # pixels; all sheets of a page have the same


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """How a picture is to be shown."""

    aspect: float  # height by width
    letters: tuple[str, str] = ("", "")  # what of the patient lies at its left and right edge


@dataclasses.dataclass(frozen=True, slots=True)
class _Block:
    """Items that stay together, placed from 0 downwards."""

    items: tuple[Item, ...]
    height: int


def lay_out(content: Content, shown: Shown) -> tuple[Sheet, ...]:
    """Return the sheets of a page."""
    head, foot = _head(content), _foot(content)
    sheets: list[list[Item]] = []
    y = TALLEST
    for block in _blocks(content, shown):
        if y + block.height + foot.height > TALLEST:
            sheets.append(list(head.items))
            y = head.height
        sheets[-1] += (_moved(item, y) for item in block.items)
        y += block.height
    height = TALLEST if len(sheets) > 1 else y + foot.height
    below = [_moved(item, height - foot.height) for item in foot.items]
    pages = ([*_numbered(content.language, number, len(sheets), height)] for number in range(1, len(sheets) + 1))
    return tuple(Sheet((*items, *below, *page), height) for items, page in zip(sheets, pages, strict=True))


def _moved(item: Item, down: int) -> Item:
    return dataclasses.replace(item, y=item.y + down)


def _head(content: Content) -> _Block:
    items: list[Item] = [
        Fill(0, 0, WIDTH, 52, "band"),
        Text(_MARGIN, 35, content.research, _BODY, "warning", bold=True),
    ]
    y = 52
    for line in wrap(content.title, _TITLE, _RIGHT - _MARGIN):
        y += 50
        items.append(Text(_MARGIN, y, line, _TITLE, "ink", bold=True))
    told: list[tuple[tuple[str, ...], Tone]] = [(content.identity, "ink"), (content.series, "dim")]
    for line, tone in ((line, tone) for parts, tone in told for line in join(parts, _BODY, _RIGHT - _MARGIN)):
        y += _LINE + 2
        items.append(Text(_MARGIN, y, line, _BODY, tone))
    return _Block(tuple(items), y + 24)


def _foot(content: Content) -> _Block:
    """Say who made the page; the right of the last line is left free for the sheet's number."""
    lines = join(content.made_by, _SMALL, _RIGHT - _MARGIN - 130)
    texts = [Text(_MARGIN, 26 * n + 18, line, _SMALL, "dim") for n, line in enumerate(lines, 1)]
    return _Block((Fill(_MARGIN, 14, _RIGHT - _MARGIN, 1, "rule"), *texts), 26 * len(lines) + 36)


def _numbered(language: Language, number: int, of: int, height: int) -> Iterator[Item]:
    if of > 1:
        yield Text(_RIGHT, height - 18, say(language, "Page {} of {}", number, of), _SMALL, "dim", right=True)


def _blocks(content: Content, shown: Shown) -> Iterator[_Block]:
    yield from _pictures(content, shown)
    for number, row in enumerate(content.rows):
        yield _headed(_row(row), "" if number else content.findings)
    for section in content.sections:
        heading = section.heading
        for line in section.lines:
            yield from _sentence(line, heading)
            heading = ""


def _pictures(content: Content, shown: Shown) -> Iterator[_Block]:
    """Yield one picture across, or two beside each other."""
    across = 1 if len(content.pictures) == 1 else 2
    width = (_RIGHT - _MARGIN - _GAP * (across - 1)) // across
    tallest = 620 if across == 1 else 470
    for start in range(0, len(content.pictures), across):
        beside = content.pictures[start : start + across]
        placed = [_picture(one, shown, _MARGIN + n * (width + _GAP), (width, tallest)) for n, one in enumerate(beside)]
        yield _Block(tuple(item for one in placed for item in one.items), max(one.height for one in placed))


def _picture(picture: Picture, shown: Shown, x: int, most: tuple[int, int]) -> _Block:
    """Place a picture in the middle of a black field of its column."""
    width = max(1, round(min(most[0], most[1] / shown.aspect)))
    height = max(1, round(width * shown.aspect))
    left = x + (most[0] - width) // 2
    items: list[Item] = [Fill(x, 0, most[0], height, "field"), Image(left, 0, width, height, picture)]
    for letter, at in zip(shown.letters, (left + 6, left + width - 34), strict=True):
        if letter:
            items.append(Fill(at, height / 2 - 15, 28, 30, "shade"))
            items.append(Text(at + 14 - width_of(letter, _BODY) / 2, height / 2 + 8, letter, _BODY, "letter"))
    return _with_legend(items, picture, (x, height), most[0])


def _with_legend(items: list[Item], picture: Picture, place: tuple[int, int], width: int) -> _Block:
    """Write below a picture what it is, and the colours on it."""
    x, y = place[0], place[1] + 28
    items.append(Text(x, y, picture.name, _SMALL, "dim"))
    right = x + width_of(picture.name, _SMALL) + 20
    for name, colour in picture.legend:
        for line in wrap(name, _SMALL, width - 24):
            if right + 22 + width_of(line, _SMALL) > x + width:
                right, y = float(x), y + 28
            items += [Fill(right, y - 14, 15, 15, colour), Text(right + 22, y, line, _SMALL, "ink")]
            right += 22 + width_of(line, _SMALL) + 18
    return _Block(tuple(items), y + 22)


def _row(row: Row) -> _Block:
    """Place a finding's name at the left, its labels and numbers at the right."""
    items: list[Item] = [Fill(_MARGIN, 0, _RIGHT - _MARGIN, 1, "rule")]
    left = _MARGIN
    if row.colour is not None:
        items.append(Fill(_MARGIN, 12, 20, 20, row.colour))
        left += 32
    named = y = 0
    for line in wrap(row.name, _BODY, _LABELS - left - _GAP):
        named += _LINE
        items.append(Text(left, named - 2, line, _BODY, "ink", bold=True))
    for label, text in row.values:
        placed = _value(label, text, y)
        items += placed
        y = round(max(item.y for item in placed)) + 2
    return _Block(tuple(items), max(named, y) + 12)


def _value(label: str, text: str, y: int) -> list[Text]:
    """Place a label and what is said to it in one line, or below each other where they are too long for that."""
    wide = _RIGHT - _LABELS
    if width_of(label, _BODY) + _GAP + width_of(text, _BODY) <= wide:
        base = y + _LINE - 2
        return [Text(_LABELS, base, label, _BODY, "dim"), Text(_RIGHT, base, text, _BODY, "ink", right=True)]
    labels, values = wrap(label, _BODY, wide), wrap(text, _BODY, wide)
    placed = [Text(_LABELS, y + _LINE * n - 2, line, _BODY, "dim") for n, line in enumerate(labels, 1)]
    under = y + _LINE * len(labels)
    told = enumerate(values, 1)
    return placed + [Text(_RIGHT, under + _LINE * n - 2, line, _BODY, "ink", right=True) for n, line in told]


def _headed(block: _Block, heading: str) -> _Block:
    """Put a heading above a block, so that no sheet ends with it."""
    if not heading:
        return block
    title = Text(_MARGIN, 40, heading, _HEADING, "ink", bold=True)
    return _Block((title, *(_moved(item, 54) for item in block.items)), block.height + 54)


def _sentence(text: str, heading: str) -> Iterator[_Block]:
    """Yield a sentence in one piece; what is longer goes on on the next sheet."""
    lines = [Text(_MARGIN + 24, 24, line, _BODY, "ink") for line in wrap(text, _BODY, _RIGHT - _MARGIN - 24)]
    point: tuple[Item, ...] = (Text(_MARGIN, 24, "•", _BODY, "dim"),)
    for start in range(0, len(lines), _TOGETHER):
        piece = lines[start : start + _TOGETHER]
        placed = (_moved(line, n * _LINE) for n, line in enumerate(piece))
        block = _Block((*point, *placed), _LINE * len(piece))
        yield _headed(block, heading)
        point, heading = (), ""
