"""Drawing what could be taken for an L or R mark and is none: words, other letters, rulers, what lies on the skin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.training.marks import SUPER, Drawn, draw_mark, letters, reduced
from pipelines.training.task import Random

WORDS: Final = (
    *("PORTABLE", "MOBILE", "ERECT", "SUPINE", "AP", "PA", "AP ERECT", "SEMI-ERECT", "SITTING", "LEFT", "RIGHT"),
    *("Left", "Right", "RT", "LT", "DX", "SN", "SX", "ITU", "CLINO", "ORTOSTASI", "Bettaufnahme", "L19", "R-20"),
    *("RL", "W 2048", "L 1024", "10 March", "day 8", "00:21", "120 kV", "2020/01/01", "CHEST", "ICU", "PORT"),
    *("RESUS", "liegend"),
)
OTHER_LETTERS: Final = "ABCDEFGHIJKMNOPQSTUVWXYZ0123456789abcdefhkmnsu+*>|/"
Canvas: TypeAlias = NDArray[np.float32]


def draw_distractor(height: float, random: Random) -> Drawn:
    """Render one thing that is no mark, about so many pixels high."""
    kind = KINDS[int(random.choice(len(KINDS), p=[share for _, share in KINDS]))][0]
    return kind(height, random)


def _letter(height: float, random: Random) -> Drawn:
    return draw_mark(str(random.choice(list(OTHER_LETTERS))), height, random)


def _word(height: float, random: Random) -> Drawn:
    text = str(random.choice(WORDS))
    canvas = round(height * (len(text) + 2) * SUPER) + 8
    words = letters(text, height * SUPER, canvas, random)
    return reduced(np.full_like(words, random.uniform(0.5, 1.0)), words, words, random)


def _ruler(height: float, random: Random) -> Drawn:
    """Render a scale: a line with ticks, whose corners look like the letter L."""
    tick = max(4.0, height * random.uniform(0.2, 0.6)) * SUPER
    gap = tick * random.uniform(0.5, 3)
    ticks = int(random.integers(4, 16))
    side = round(gap * ticks + 2 * tick) + 8
    thick = max(1, round(SUPER * random.uniform(0.5, 1.5)))
    scale = np.zeros((side, side), np.float32)
    start, middle = round(tick), side // 2
    if random.random() < 0.8:
        cv2.line(scale, (start, middle), (round(start + gap * (ticks - 1)), middle), 1.0, thick)
    for number in range(ticks):
        x = round(start + gap * number)
        length = tick if number % 5 == 0 else tick * 0.6
        cv2.line(scale, (x, middle), (x, round(middle - length)), 1.0, thick)
    return _cast(np.rot90(scale, int(random.integers(4))).copy(), random)


def _electrode(height: float, random: Random) -> Drawn:
    """Render a snap electrode: discs within each other, some hollow, often at the end of a wire."""
    side = round(height * SUPER * 3)
    middle, radius = (side // 2, side // 2), height * SUPER / 2
    plate = np.zeros((side, side), np.float32)
    if random.random() < 0.5:
        plate = _wire(plate, middle, random)
    for share in np.sort(random.uniform(0.15, 1.0, int(random.integers(1, 4))))[::-1]:
        hollow = random.random() < 0.4
        thick = max(1, round(radius * random.uniform(0.08, 0.25))) if hollow else -1
        axes = (max(1, round(radius * share)), max(1, round(radius * share * random.uniform(0.7, 1.0))))
        cv2.ellipse(plate, middle, axes, float(random.uniform(0, 180)), 0, 360, float(random.uniform(0.4, 1)), thick)
    return _cast(plate, random)


def _clamp(height: float, random: Random) -> Drawn:
    """Render a clamp: two arms, a bar across, and a wire that leaves it."""
    side = round(height * SUPER * 3)
    middle, reach = side // 2, height * SUPER / 2
    arms = np.zeros((side, side), np.float32)
    thick = max(2, round(reach * random.uniform(0.15, 0.35)))
    spread = reach * random.uniform(0.25, 0.7)
    for side_of_it in (-1, 1):
        top = (round(middle + side_of_it * spread * random.uniform(0.4, 1)), round(middle - reach))
        foot = (round(middle + side_of_it * spread), round(middle + reach * random.uniform(0.4, 1)))
        cv2.line(arms, top, foot, 1.0, thick)
    bar = round(middle - reach * random.uniform(-0.2, 0.8))
    cv2.line(arms, (round(middle - spread), bar), (round(middle + spread), bar), 1.0, max(1, thick // 2))
    return _cast(_turned_by_chance(_wire(arms, (middle, middle), random), random), random)


def _arrow(height: float, random: Random) -> Drawn:
    side = round(height * SUPER * 2.4)
    middle, reach = side // 2, round(height * SUPER / 2)
    pointer = np.zeros((side, side), np.float32)
    thick = max(1, round(reach * random.uniform(0.08, 0.6)))
    start, end = (middle - reach, middle), (middle + reach, middle)
    if random.random() < 0.3:
        wing = round(reach * random.uniform(0.4, 0.9))
        corners = np.array([(middle - reach, middle - wing), end, (middle - reach, middle + wing)], np.int32)
        cv2.fillPoly(pointer, [corners], 1.0)
    else:
        cv2.arrowedLine(pointer, start, end, 1.0, thick, tipLength=float(random.uniform(0.3, 0.6)))
    return _cast(_turned_by_chance(pointer, random), random)


def _clip(height: float, random: Random) -> Drawn:
    """Render clips, pins and pellets: short strokes and spots of metal."""
    side = round(height * SUPER * 2.4)
    metal = np.zeros((side, side), np.float32)
    for _ in range(int(random.integers(1, 4))):
        centre = random.uniform(0.35, 0.65, 2) * side
        half = random.uniform(0, 0.35) * height * SUPER * np.array([1.0, random.uniform(-0.3, 0.3)])
        start, end = ((round(x), round(y)) for x, y in (centre - half, centre + half))
        cv2.line(metal, start, end, 1.0, max(2, round(height * SUPER * random.uniform(0.05, 0.2))))
    return _cast(_turned_by_chance(metal, random), random)


def _wire(canvas: Canvas, start: tuple[int, int], random: Random) -> Canvas:
    """Return the canvas with a bent line from a point to its edge."""
    side = canvas.shape[0]
    steps = np.linspace(0, 1, 20)[:, None]
    end, knee = random.uniform(0, side, 2), random.uniform(0, side, 2)
    end[int(random.integers(2))] = float(random.choice([0, side]))
    curve = (1 - steps) ** 2 * np.array(start) + 2 * steps * (1 - steps) * knee + steps**2 * end
    thick = max(1, round(SUPER * random.uniform(0.6, 2.5)))
    return np.asarray(
        cv2.polylines(canvas, [curve.astype(np.int32)], False, float(random.uniform(0.4, 1)), thick), np.float32
    )


def _turned_by_chance(canvas: Canvas, random: Random) -> Canvas:
    middle = canvas.shape[0] / 2
    turn = cv2.getRotationMatrix2D((middle, middle), float(random.uniform(0, 360)), 1.0)
    return np.asarray(cv2.warpAffine(canvas, turn, canvas.shape[::-1]), np.float32)


def _cast(shape: Canvas, random: Random) -> Drawn:
    """Return a shape as it is cast: bright mostly, dark sometimes, of any strength."""
    ink = float(random.choice([random.uniform(0.45, 1.0), random.uniform(0.0, 0.2)], p=[0.85, 0.15]))
    return reduced(np.full_like(shape, ink), shape, np.ones_like(shape) * (shape > 0), random)


KINDS: Final[tuple[tuple[Callable[[float, Any], Drawn], float], ...]] = (
    (_letter, 0.30),
    (_word, 0.25),
    (_ruler, 0.13),
    (_electrode, 0.12),
    (_clamp, 0.08),
    (_arrow, 0.06),
    (_clip, 0.06),
)
"""What can be drawn, and how often."""
