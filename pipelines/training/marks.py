"""Drawing laterality marks on a picture."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FONT_FOLDERS: Final = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
SIDES: Final = "LR"
SUPER: Final = 3  # drawn so much larger, then reduced: smooth edges at any size


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """A rendered sign: what it adds, how opaque it is, and its box (x1, y1, x2, y2) in the patch."""

    value: NDArray[np.float32]  # (h, w), 0 .. 1 of the picture's range
    opacity: NDArray[np.float32]  # (h, w), 0 .. 1
    box: tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """A letter on its oversized canvas and the choices made for it; every array is (canvas, canvas), 0 .. 1."""

    letter: NDArray[np.float32]
    ink: float
    radius: int
    thick: int

    def plain(self) -> NDArray[np.float32]:
        """Return an empty canvas."""
        return np.zeros_like(self.letter)

    def disc(self, radius: int) -> NDArray[np.float32]:
        """Return a filled circle around the letter."""
        middle = self.letter.shape[0] // 2
        return np.asarray(cv2.circle(self.plain(), (middle, middle), radius, 1.0, -1, cv2.LINE_AA), np.float32)

    def ring(self) -> NDArray[np.float32]:
        """Return a circle's line around the letter."""
        middle = self.letter.shape[0] // 2
        circle = cv2.circle(self.plain(), (middle, middle), self.radius, 1.0, self.thick, cv2.LINE_AA)
        return np.asarray(circle, np.float32)

    def rectangle(self, half: tuple[int, int], thickness: int) -> NDArray[np.float32]:
        """Return a rectangle around the letter, filled where the thickness is -1."""
        middle = self.letter.shape[0] // 2
        corners = (middle - half[0], middle - half[1]), (middle + half[0], middle + half[1])
        return np.asarray(cv2.rectangle(self.plain(), *corners, 1.0, thickness), np.float32)


Layers: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Value, opacity, and what the box encloses: circles and discs belong to the mark, plates and frames do not."""


def _bare(look: Look, random: np.random.Generator) -> Layers:
    if random.random() < 0.7:
        return np.full_like(look.letter, look.ink), look.letter, look.letter
    side = 2 * look.thick + 1  # a dark edge, as viewers draw it
    edge = np.asarray(cv2.dilate(look.letter, np.ones((side, side), np.uint8)), np.float32)
    opacity = np.maximum(look.letter, edge * np.float32(random.uniform(0.5, 1.0)))
    return _inked(look.letter, look.ink, 0.0), opacity, look.letter


def _ring(look: Look, random: np.random.Generator) -> Layers:  # noqa: ARG001  # styles share one signature
    opacity = np.maximum(look.letter, look.ring())
    return np.full_like(opacity, look.ink), opacity, opacity


def _black_ring(look: Look, random: np.random.Generator) -> Layers:  # noqa: ARG001  # as above
    ground = look.disc(look.radius + 2 * look.thick)
    value = np.maximum(_inked(look.letter, look.ink, 0.0), look.ring() * np.float32(look.ink))
    return value, ground, ground


def _disc(look: Look, random: np.random.Generator) -> Layers:
    ground = look.disc(look.radius)
    return _inked(look.letter, random.uniform(0, 0.3), look.ink), ground, ground


def _plate(look: Look, random: np.random.Generator) -> Layers:
    base = float(random.choice([0.0, random.uniform(0.2, 0.5), 0.95]))
    ground = look.rectangle(_half(look, random), -1)
    value = _inked(look.letter, 0.05 if base > 0.9 else look.ink, base)
    return value, np.maximum(ground, look.letter), look.letter


def _frame(look: Look, random: np.random.Generator) -> Layers:
    opacity = np.maximum(look.rectangle(_half(look, random), look.thick), look.letter)
    return np.full_like(opacity, look.ink), opacity, look.letter


def _half(look: Look, random: np.random.Generator) -> tuple[int, int]:
    return round(look.radius * random.uniform(0.7, 1.1)), round(look.radius * random.uniform(0.8, 1.3))


def _inked(letter: NDArray[np.float32], ink: float, ground: float) -> NDArray[np.float32]:
    return np.where(letter > 0.4, ink, ground).astype(np.float32)


STYLES: Final = ((_bare, 0.58), (_ring, 0.12), (_black_ring, 0.10), (_disc, 0.06), (_plate, 0.10), (_frame, 0.04))


def draw_mark(text: str, height: float, random: np.random.Generator) -> Drawn:
    """Render a letter as it is burned in or cast by lead: bare, ringed, on a disc or on a plate."""
    tall = height * SUPER
    canvas = round(tall * 3.2) + 8
    look = Look(
        letter=letters(text, tall, canvas, random),
        ink=random.uniform(0.55, 1.0),
        radius=round(tall * random.uniform(0.75, 1.15)),
        thick=max(1, round(tall * random.uniform(0.04, 0.12))),
    )
    style = STYLES[int(random.choice(len(STYLES), p=[share for _, share in STYLES]))][0]
    value, opacity, extent = style(look, random)
    if random.random() < 0.15:  # initials or a number below, as radiographers' own markers carry them
        below = np.roll(letters(_initials(random), tall * 0.4, canvas, random), round(tall * 0.85), axis=0)
        value = np.where(below > opacity, np.float32(look.ink), value)
        opacity = np.maximum(opacity, below)
    return reduced(value, opacity, extent, random)


def blend(picture: NDArray[np.uint8], drawn: Drawn, x: int, y: int, random: np.random.Generator) -> None:
    """Burn a sign into the picture at column x, row y, in place; what hangs over the edge is lost."""
    rows, columns = picture.shape
    height, width = drawn.value.shape
    y1, x1, y2, x2 = max(0, y), max(0, x), min(rows, y + height), min(columns, x + width)
    if y1 >= y2 or x1 >= x2:
        return
    inside = np.s_[y1 - y : y2 - y, x1 - x : x2 - x]
    below = picture[y1:y2, x1:x2].astype(np.float32)
    opacity = drawn.opacity[inside] * np.float32(random.choice([1.0, random.uniform(0.5, 1.0)]))
    mixed = below * (1 - opacity) + drawn.value[inside] * 255 * opacity
    picture[y1:y2, x1:x2] = np.clip(mixed, 0, 255).astype(np.uint8)


def _initials(random: np.random.Generator) -> str:
    return "".join(random.choice(list("ABCDEFGHJKMNPSTVW0123456789"), size=int(random.integers(2, 4))))


def letters(text: str, height: float, canvas: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return text centred on a square canvas, capitals `height` pixels high, 0 .. 1."""
    fonts = font_files()
    if not fonts or random.random() < 0.25:
        return _strokes(text, height, canvas, random)
    font = ImageFont.truetype(fonts[int(random.integers(len(fonts)))], max(6, round(height * 1.38)))
    image = Image.new("L", (canvas, canvas), 0)
    ImageDraw.Draw(image).text((canvas / 2, canvas / 2), text, fill=255, font=font, anchor="mm")
    return _turned(np.asarray(image, np.float32) / 255, random)


def _strokes(text: str, height: float, canvas: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw with a plotter font: round strokes like those of lead letters."""
    face = int(random.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX]))
    scale = height / 21.0
    thick = max(1, round(height * random.uniform(0.06, 0.22)))
    (width, tall), _ = cv2.getTextSize(text, face, scale, thick)
    image = np.zeros((canvas, canvas), np.float32)
    origin = ((canvas - width) // 2, (canvas + tall) // 2)
    cv2.putText(image, text, origin, face, scale, 1.0, thick, cv2.LINE_AA)
    return _turned(image, random)


def _turned(image: NDArray[np.floating[Any]], random: np.random.Generator) -> NDArray[np.float32]:
    """Turn and slant the letters: a little often, much seldom."""
    angle = random.normal(0, 3) if random.random() < 0.75 else random.uniform(-40, 40)
    turn = cv2.getRotationMatrix2D((image.shape[1] / 2, image.shape[0] / 2), angle, 1.0)
    if random.random() < 0.2:
        slant = random.uniform(-0.1, 0.3)
        turn[0, 1] += slant
        turn[0, 2] -= slant * image.shape[0] / 2
    return np.asarray(cv2.warpAffine(image, turn, image.shape[::-1]), np.float32)


def reduced(
    value: NDArray[np.float32], opacity: NDArray[np.float32], extent: NDArray[np.float32], random: np.random.Generator
) -> Drawn:
    """Bring an oversized drawing, (canvas, canvas) each, down, soften it, and measure the box of its extent."""
    rows, columns = np.nonzero(extent > 0.3)
    edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    size = (max(1, value.shape[1] // SUPER), max(1, value.shape[0] // SUPER))
    shrink = (size[0] / value.shape[1], size[1] / value.shape[0])
    box = (edges[0] * shrink[0], edges[1] * shrink[1], edges[2] * shrink[0], edges[3] * shrink[1])
    small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (value, opacity)]
    if random.random() < 0.5:
        small = [cv2.GaussianBlur(one, (0, 0), random.uniform(0.3, 1.0)) for one in small]
    softened = np.clip(small[1], 0, 1)  # cv2's averaging rounds to 1.0000001 on some processors
    return Drawn(np.asarray(small[0], np.float32), np.asarray(softened, np.float32), box)


@functools.cache
def font_files() -> tuple[str, ...]:
    """Return the machine's Latin TrueType and OpenType fonts; without any, plotter fonts are drawn."""
    found = [path for folder in FONT_FOLDERS for kind in ("*.ttf", "*.otf") for path in folder.rglob(kind)]
    foreign = ("Symbol", "Dingbat", "D050000L", "Emoji", "Z003", "CJK", "StandardSymbols", "opens___")
    return tuple(sorted(str(path) for path in found if not any(word in path.name for word in foreign)))
