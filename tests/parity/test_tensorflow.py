"""The importer against TensorFlow: one checkpoint in Keras' network and in ours, the same output."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import h5py
import numpy as np
import pytest

from dicom_node.infer.tensorflow_process import TensorFlowProcess
from pipelines.published.importing import import_published
from pipelines.published.recipes import NETWORKS, TORCH
from pipelines.published.runner import probe
from pipelines.published.tables import tables
from tests.parity.oracle import figure, tolerance
from tests.parity.writer import write
from tests.support.tensorflow import entry

SHAPES = {
    "EnhanceCls": (2, 64, 64, 2),
    "ViewCls": (1, 96, 64, 1),
    "LRDet": (1, 512, 512, 3),
    "LungSeg": (1, 64, 48, 1),
}
VOLUME = (1, 17, 16, 19, 1)
# Factors by tensor, so that no softmax saturates and some marks are found.
RESNET = {"*/gamma:0": 0.75, "final_layer/*/kernel:0": 30}
LOUDNESS = {
    "EnhanceCls": RESNET,
    "ViewCls": RESNET,
    "LRDet": {"*/gamma:0": 1.6, "class_head/pyramid*/kernel:0": 15, "box_head/conv2d_3/kernel:0": 10},
}


def checkpoint(recipe: str, path: Path) -> Path:
    write(tables()[recipe], path)
    with h5py.File(path, "a") as file:
        for one in tables()[recipe].tensors:
            for pattern, factor in LOUDNESS.get(recipe, {}).items():
                if fnmatch(one.label, pattern):
                    file[one.label][:] *= factor
    return path


@pytest.mark.parametrize("recipe", sorted(NETWORKS.keys() - TORCH))
def test_an_imported_network_computes_what_keras_does(
    recipe: str, tensorflow: TensorFlowProcess, tmp_path: Path
) -> None:
    source = checkpoint(recipe, tmp_path / "source.h5")
    batch = np.random.default_rng(3).standard_normal(SHAPES.get(recipe, VOLUME), np.float32)
    theirs = tensorflow.opened(entry(source, recipe), "cpu").network.outputs(batch)
    ours = probe(import_published(source, "ours", tmp_path, recipe), batch)
    assert ours.keys() == theirs.keys()
    figures = [figure(recipe, name, ours[name], theirs[name], tolerance(name, theirs[name])) for name in theirs]
    assert not [str(one) for one in figures if not one.ok]
    if recipe == "LRDet":
        assert 10 < np.count_nonzero(theirs["det_scores"] > 0) < 300
