from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.results.drawing import CASES, PICTURES


@pytest.mark.parametrize("name", CASES)
def test_a_seg_drawn_by_way_of_the_patient_looks_as_it_was_looked_at(name: str, tmp_path: Path) -> None:
    drawn, known = CASES[name](tmp_path), cv2.imread(str(PICTURES / f"{name}.png"))
    assert known is not None
    assert np.abs(drawn.astype(int) - known).max() <= 1  # blending rounds differently from processor to processor
