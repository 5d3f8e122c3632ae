"""Small public objects that the pipelines' tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_node.images import Frame, Radiograph, Stack, Volume
from dicom_node.weights_store import Weights, read_catalog

ROOT = Path(__file__).resolve().parents[2]


def weights(name: str) -> dict[str, Weights]:
    return {"": read_catalog(ROOT / "weights")[name]}


def shared_data(folder: str) -> Path:
    path = ROOT.parent / "shared" / "data" / folder
    if not path.is_dir():
        pytest.skip(f"needs the development data {folder}/, which is not part of the repository")
    return path


def stack(count: int = 1, **facts: Any) -> Stack:
    frames = tuple(Frame(f"{k}.dcm", "1.2", f"1.2.{k}") for k in range(count))
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in facts.items()}
    return Stack("1.1", "1.1.1", frames, values)


def chest(rows: int = 600, columns: int = 560) -> NDArray[np.uint8]:
    """A chest-like picture: a bright body with two dark lungs, black air beside it, a little grain."""
    picture = np.zeros((rows, columns), np.float32)
    body = (columns // 2, int(rows * 0.55)), (int(columns * 0.46), int(rows * 0.6))
    cv2.ellipse(picture, *body, 0, 0, 360, 170, -1)
    for side in (-1, 1):
        centre = int(columns * (0.5 + 0.19 * side)), int(rows * 0.48)
        cv2.ellipse(picture, centre, (int(columns * 0.13), int(rows * 0.3)), 0, 0, 360, 70, -1)
    grain = np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.asarray(np.clip(cv2.GaussianBlur(picture, (0, 0), 9) + grain, 0, 255), np.uint8)


def radiograph(picture: NDArray[np.uint8], stored: NDArray[Any] | None = None, **facts: Any) -> Radiograph:
    return Radiograph(picture if stored is None else stored, picture, None, stack(**facts))


def chest_ct(blood_hu: float, slices: int = 5, lungs: bool = True) -> Volume:
    """A chest phantom: fat, muscle, lungs, vertebra with cortex, heart and aorta filled with blood."""
    size, mm = 256, 1.4
    plane = np.full((size, size), -1000, np.float32)

    def put(x: float, y: float, width: float, height: float, hu: float) -> None:
        centre = round(size / 2 + x / mm), round(size / 2 + y / mm)
        cv2.ellipse(plane, centre, (round(width / mm), round(height / mm)), 0, 0, 360, hu, -1)

    put(0, 0, 160, 110, -90)
    put(0, 0, 148, 98, 50)
    for side in (-1, 1):
        put(side * 75, -5, 58, 80, -830 if lungs else 55)
    put(0, 70, 20, 18, 600)
    put(0, 70, 17, 15, 180)
    put(15, -25, 50, 42, blood_hu)
    put(-20, 45, 13, 13, blood_hu)
    smooth = cv2.GaussianBlur(plane, (0, 0), 0.7)
    random = np.random.default_rng(1)
    array = np.stack([smooth + random.normal(0, 10, smooth.shape) for _ in range(slices)]).astype(np.float32)
    affine = np.array([[0, 0, mm, 0], [0, mm, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1]], float)
    return Volume(array, affine, "1.3", stack(slices, Modality="CT"))
