from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dicom_node.pipeline import Pipeline, Weights, WeightsError
from pipelines.contrast_ct import ContrastCT
from pipelines.kidney_tumor_ct import KidneyTumorCT
from pipelines.liver_ct import LiverCT
from pipelines.lr_mark_cxr import LRMarkCXR
from pipelines.lung_cxr import LungCXR
from pipelines.polyp_es import PolypES
from pipelines.training.loop import sha256_of
from pipelines.view_cxr import ViewCXR
from tests.pipelines.support import weights

PIPELINES: list[tuple[type[Pipeline], str]] = [
    (ContrastCT, "contrast_ct_small"),
    (LungCXR, "lung_cxr_small"),
    (LRMarkCXR, "lr_mark_cxr_small"),
    (PolypES, "polyp_es_small"),
    (LiverCT, "liver_ct_small"),
    (ViewCXR, "view_cxr_small"),
    (KidneyTumorCT, "kidney_ct_small"),
]


def altered(entry: Weights, path: Path, **tensors: torch.Tensor) -> Weights:
    """A valid entry whose file holds other tensors."""
    save_file({**load_file(entry.path), **tensors}, path)
    return dataclasses.replace(entry, path=path, sha256=sha256_of(path))


@pytest.mark.parametrize(("pipeline", "name"), PIPELINES)
def test_the_shipped_weights_load(pipeline: type[Pipeline], name: str) -> None:
    assert len(pipeline().load(weights(name), "cpu").stages) == 1


@pytest.mark.parametrize(("pipeline", "name"), PIPELINES)
def test_weights_of_another_recipe_are_refused_by_name(pipeline: type[Pipeline], name: str) -> None:
    other = dataclasses.replace(weights(name)[""], recipe="liver-2p")
    with pytest.raises(WeightsError, match=r"'liver-2p' is none of"):
        pipeline().load({"": other}, "cpu")


def test_weights_that_were_altered_are_refused(tmp_path: Path) -> None:
    entry = weights("lung_cxr_small")[""]
    path = Path(shutil.copy(entry.path, tmp_path))
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WeightsError, match="SHA-256"):
        LungCXR().load({"": dataclasses.replace(entry, path=path)}, "cpu")


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    entry = altered(weights("lung_cxr_small")[""], tmp_path / "w.safetensors", **{"head.bias": torch.zeros(3)})
    with pytest.raises(WeightsError, match=r"head\.bias expected \(2,\), found \(3,\)"):
        LungCXR().load({"": entry}, "cpu")


def test_a_tensor_too_many_is_named(tmp_path: Path) -> None:
    entry = altered(weights("lung_cxr_small")[""], tmp_path / "w.safetensors", extra=torch.zeros(1))
    with pytest.raises(WeightsError, match="extra expected None"):
        LungCXR().load({"": entry}, "cpu")


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"PK\x03\x04 not tensors")
    entry = dataclasses.replace(weights("lung_cxr_small")[""], path=path, sha256=sha256_of(path))
    with pytest.raises(WeightsError, match="cannot be read"):
        LungCXR().load({"": entry}, "cpu")


def test_several_roles_are_refused() -> None:
    entry = weights("lung_cxr_small")[""]
    with pytest.raises(WeightsError, match="one weights entry"):
        LungCXR().load({"a": entry, "b": entry}, "cpu")
