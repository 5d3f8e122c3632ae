"""A chest radiograph of the phantom: X-rays weakened along parallel lines from back to front (Beer-Lambert)."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.demo.phantom import PLAIN, chest_hu
from dicom_node.demo.shapes import Grid

PIXELS = 1024
PIXEL_MM = 0.36
MAX_VALUE = 4095  # 12 bits stored

_WATER_PER_MM = 0.0176  # attenuation of water at the mean energy of a 120 kV beam behind a patient
_BONE_GAIN = 1.7  # calcium weakens a radiograph's softer beam more than its HU say
_COARSE = 2  # rays are traced for every second pixel; the detector's blur is wider than that
_SLAB = 32  # depths held in memory at a time
_FRONT_MM, _BACK_MM, _STEP_MM = -120.0, 124.0, 1.6  # along the ray
_SCATTER = 0.12  # share of the signal that arrives from elsewhere, behind a grid
_PHOTONS = 60000.0  # per pixel in the open field
_BLACK, _WHITE = 0.9, 4.9  # line integrals shown as 0 and as MAX_VALUE: a lung's darkest, a spine's brightest
TOP_MM = 172.0  # height of the picture's upper edge


@cache  # the localizer shows the same rays
def attenuation(seed: int) -> NDArray[np.float64]:
    """Return the line integral of attenuation (rows, columns), without a unit, seen from behind the detector.

    Rows go to the feet and columns to the patient's left, as PA films are hung. Every second pixel in each direction.
    """
    step = PIXEL_MM * _COARSE
    across = _axis(-PIXEL_MM * PIXELS / 2, PIXELS // _COARSE, step)
    up = _axis(TOP_MM - PIXEL_MM * PIXELS, PIXELS // _COARSE, step)
    depths = np.arange(_FRONT_MM, _BACK_MM, _STEP_MM, dtype=np.float32)
    total = np.zeros((len(up), len(across)))
    for first in range(0, len(depths), _SLAB):
        slab = Grid(across, depths[first : first + _SLAB], up)
        total += _per_mm(chest_hu(slab, PLAIN, seed, arms_down=True)).sum(axis=1) * _STEP_MM
    upright = np.ascontiguousarray(total[::-1])
    upright.flags.writeable = False
    return upright


def radiograph(seed: int) -> NDArray[np.uint16]:
    """Return the picture (1024, 1024) as stored: 0 black to 4095 white, with an L at the patient's left."""
    random = np.random.default_rng(seed)
    lines = cv2.resize(attenuation(seed), (PIXELS, PIXELS), interpolation=cv2.INTER_CUBIC)
    primary = np.exp(-ndimage.gaussian_filter(lines, 1.0))
    scattered = (1 - _SCATTER) * primary + _SCATTER * ndimage.gaussian_filter(primary, 60)
    counted = random.poisson(scattered * _PHOTONS).clip(1)
    dark = -np.log(counted / _PHOTONS)
    level = (dark - _BLACK) / (_WHITE - _BLACK)
    stored = np.clip(level * MAX_VALUE, 0, MAX_VALUE).astype(np.uint16)
    return _marked(stored)


def _axis(start: float, count: int, step: float) -> NDArray[np.float32]:
    return (start + step * (np.arange(count) + 0.5)).astype(np.float32)


def _per_mm(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    gain = np.where(hu > 120, _BONE_GAIN, 1.0)
    return np.asarray(_WATER_PER_MM * (1 + hu * gain / 1000), np.float32).clip(0)


def _marked(stored: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Burn in the side mark; lead lets nothing through, so it is white."""
    centre = (PIXELS - 120, 130)
    marked = stored.copy()
    cv2.putText(marked, "L", centre, cv2.FONT_HERSHEY_SIMPLEX, 2.2, (MAX_VALUE,), 8, cv2.LINE_8)
    return marked
