"""Published layout in, network out: every tensor where it belongs, in each variant of the file that occurs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from dicom_node.errors import WeightsError
from pipelines.published.importing import import_published
from pipelines.published.recipes import NETWORKS
from pipelines.published.runner import Runner, probe
from pipelines.published.tables import tables
from tests.parity.writer import values, write


@pytest.mark.parametrize("recipe", NETWORKS)
def test_an_imported_checkpoint_fills_the_network_with_its_own_numbers(recipe: str, tmp_path: Path) -> None:
    table = tables()[recipe]
    entry = import_published(write(table, tmp_path / "source"), "mine", tmp_path, recipe)
    filled = Runner(entry).network.state_dict()
    for one in table.tensors:
        expected = values(one, "a").transpose(one.axes)
        assert np.array_equal(filled[one.target].numpy(), expected), one.label


@pytest.mark.parametrize("recipe", ["EnhanceCls", "LRDet", "LungSeg", "KidneyTumorSeg_2_2"])
@pytest.mark.parametrize("style", [{"old": True}, {"shift": 57}, {"whole_model": True}])
def test_variants_of_the_file_give_the_same_tensors(recipe: str, style: dict[str, Any], tmp_path: Path) -> None:
    table = tables()[recipe]
    plain = import_published(write(table, tmp_path / "plain"), "plain", tmp_path, recipe)
    other = import_published(write(table, tmp_path / "other", **style), "other", tmp_path, recipe)
    first, second = load_file(plain.path), load_file(other.path)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert plain.sha256 == other.sha256


@pytest.mark.parametrize(
    ("recipe", "shape", "outputs"),
    [
        ("EnhanceCls", (2, 256, 256, 2), {"conv1_relu": (2, 128, 128, 64), "avg_pool": (2, 2048), "out": (2, 2)}),
        ("LungSeg", (1, 64, 48, 1), {"features": (1, 64, 48, 64), "out": (1, 64, 48, 1)}),
        ("BBBSeg", (1, 16, 17, 19, 1), {"features": (1, 16, 17, 19, 32), "out": (1, 16, 17, 19, 2)}),
        ("MRIBET_T1", (2, 1, 33, 16), {"eval": (2, 1, 33, 16)}),
    ],
)
def test_a_probe_answers_in_the_published_layout(
    recipe: str, shape: tuple[int, ...], outputs: dict[str, tuple[int, ...]], tmp_path: Path
) -> None:
    entry = import_published(write(tables()[recipe], tmp_path / "source"), "mine", tmp_path, recipe)
    found = probe(entry, np.zeros(shape, np.uint8))
    assert {name: found[name].shape for name in outputs} == outputs
    assert all(one.dtype == np.float32 for one in found.values())


def test_a_probe_says_what_array_it_wants(tmp_path: Path) -> None:
    entry = import_published(write(tables()["LungSeg"], tmp_path / "source"), "mine", tmp_path)
    with pytest.raises(WeightsError, match="4 axes with 1 channels last"):
        probe(entry, np.zeros((1, 1, 64, 64)))
