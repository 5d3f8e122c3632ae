"""CPU and GPU give the same numbers; needs a GPU, and says so where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.published.importing import import_published
from pipelines.published.runner import Runner
from pipelines.published.tables import tables
from tests.parity.writer import write

SHAPES = {
    "EnhanceCls": (1, 256, 256, 2),
    "ViewCls": (1, 512, 512, 1),
    "LRDet": (1, 512, 512, 3),
    "LungSeg": (1, 128, 128, 1),
    "LiverSeg": (1, 20, 48, 48, 1),
    "BBBSeg": (1, 20, 48, 48, 1),
    "KidneyTumorSeg_1": (1, 24, 48, 48, 1),
    "KidneyTumorSeg_2_2": (1, 24, 48, 48, 1),
    "MRIBET_T1": (1, 1, 64, 64),
    "MRIBET_MRA": (1, 1, 64, 64),
    "PolypDet": (1, 3, 96, 96),
}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and torch sees none")
@pytest.mark.parametrize("recipe", SHAPES)
def test_cpu_and_gpu_agree(recipe: str, tmp_path: Path) -> None:
    entry = import_published(write(tables()[recipe], tmp_path / "source"), "mine", tmp_path, recipe)
    batch = np.random.default_rng(0).random(SHAPES[recipe], np.float32)
    on_cpu, on_gpu = Runner(entry, "cpu")(batch), Runner(entry, "cuda")(batch)
    assert np.abs(on_cpu - on_gpu).max() <= 1e-3 * max(1.0, float(np.abs(on_cpu).max()))
