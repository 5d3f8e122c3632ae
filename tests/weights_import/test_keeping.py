"""Whole models and unconverted weights: what is kept for TensorFlow, and what is refused without it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dicom_node.errors import WeightsError
from dicom_node.weights_import import keep_model
from dicom_node.weights_store import read_catalog, sha256_of
from pipelines.published.importing import keep_published
from pipelines.published.tables import tables
from tests.parity.writer import write

WEIGHTS = "model.weights.h5"
LAYER: dict[str, Any] = {"module": "keras.layers", "class_name": "ReLU", "config": {"name": "re_lu"}}


def keras_file(path: Path, layer: dict[str, Any] = LAYER, members: Mapping[str, bytes] = {}) -> Path:
    """A `.keras` file as far as can be told without Keras."""
    layers = {"layers": [layer]}
    config = {"module": "keras.src.models.functional", "class_name": "Functional", "config": layers}
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/re_lu/vars/0"] = np.zeros(3, np.float32)
    held = {"metadata.json": b"{}", "config.json": json.dumps(config).encode(), WEIGHTS: weights.getvalue()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**held, **members}.items():
            archive.writestr(name, data)
    return path


def saved_model(folder: Path) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"numbers")
    return folder


def refused(file: Path, folder: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        keep_model(file, "mine", folder, "any")
    assert not folder.exists()
    return str(caught.value)


def test_a_model_is_kept_as_it_is_with_its_hash(tmp_path: Path) -> None:
    for file in (keras_file(tmp_path / "a.keras"), saved_model(tmp_path / "b")):
        entry = keep_model(file, file.stem, tmp_path / "weights", "knee-v3")
        entry.verify()
        assert (entry.framework, entry.recipe, entry.sha256) == ("tensorflow", "knee-v3", sha256_of(file))
        assert entry.card["imported_from"] == file.name
    assert set(read_catalog(tmp_path / "weights")) == {"a", "b"}


def test_a_folders_hash_is_what_sha256sum_makes_of_its_files(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "model")
    command = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    printed = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout  # noqa: S602
    assert printed.split()[0] == sha256_of(folder)


def test_a_model_without_a_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="--recipe"):
        keep_model(keras_file(tmp_path / "a.keras"), "mine", tmp_path / "weights", "")


def test_published_keras_weights_are_checked_and_kept(tmp_path: Path) -> None:
    file = write(tables()["LungSeg"], tmp_path / "lungs.h5")
    entry = keep_published(file, "mine", tmp_path / "weights")
    assert (entry.framework, entry.recipe, entry.path.name) == ("tensorflow", "LungSeg", "mine.h5")
    with pytest.raises(WeightsError, match="does not fit recipe LiverSeg"):
        keep_published(file, "other", tmp_path / "weights", "LiverSeg")
    with pytest.raises(WeightsError, match="PyTorch checkpoint"):
        keep_published(write(tables()["PolypDet"], tmp_path / "polyp"), "other", tmp_path / "weights")


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ({**LAYER, "class_name": "Lambda"}, "it holds 'Lambda'"),
        ({"class_name": "Lambda", "config": {}}, "it holds 'Lambda'"),
        ({**LAYER, "config": {"layer": {**LAYER, "class_name": "TFSMLayer"}}}, "it holds 'TFSMLayer'"),
        ({**LAYER, "config": {"fn": {"class_name": "__lambda__", "config": {"value": "4wEA"}}}}, "'__lambda__'"),
        ({**LAYER, "config": {"fn": {"module": "os", "class_name": "function", "config": "system"}}}, "'function'"),
        ({**LAYER, "module": "subprocess", "class_name": "Popen"}, "subprocess.Popen"),
        ({**LAYER, "module": "keras.src.saving.saving_api", "class_name": "load_model"}, "load_model"),
    ],
)
def test_a_configuration_that_holds_or_names_code_is_refused(layer: dict[str, Any], said: str, tmp_path: Path) -> None:
    assert said in refused(keras_file(tmp_path / "a.keras", layer), tmp_path / "weights")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"assets.txt": b"more"}, "is no .keras model"),
        ({"config.json": b"{"}, "damaged or incomplete"),
        ({WEIGHTS: b"no HDF5"}, "damaged or incomplete"),
    ],
)
def test_an_archive_that_holds_something_else_is_refused(members: dict[str, bytes], said: str, tmp_path: Path) -> None:
    assert said in refused(keras_file(tmp_path / "a.keras", members=members), tmp_path / "weights")


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.98])
def test_a_truncated_archive_is_refused(keep: float, tmp_path: Path) -> None:
    file = keras_file(tmp_path / "a.keras")
    os.truncate(file, int(keep * file.stat().st_size))
    assert "a.keras: cannot be read as a .keras model" in refused(file, tmp_path / "weights")


@pytest.mark.parametrize("link", [h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/layers")])
def test_links_among_the_tensors_are_refused(link: object, tmp_path: Path) -> None:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/elsewhere"] = link
    assert "is a link to elsewhere" in refused(
        keras_file(tmp_path / "a.keras", members={WEIGHTS: weights.getvalue()}), tmp_path / "weights"
    )


def test_tensors_that_would_unpack_to_more_than_the_file_are_refused(tmp_path: Path) -> None:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_dataset("layers/huge", (1 << 40,), "f4", chunks=(1 << 16,))
    assert "more than the file has" in refused(
        keras_file(tmp_path / "a.keras", members={WEIGHTS: weights.getvalue()}), tmp_path / "weights"
    )


@pytest.mark.parametrize(
    ("folder_mode", "modes"), [(0o755, (0o644, 0o755)), (0o750, (0o640, 0o750)), (0o700, (0o600, 0o700))]
)
def test_what_is_added_can_be_read_by_whoever_may_read_the_folder(
    tmp_path: Path, folder_mode: int, modes: tuple[int, int]
) -> None:
    before = os.umask(0o077)  # that of the command line
    try:
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights").chmod(folder_mode)
        model = saved_model(tmp_path / "model")
        keep_model(model, "knees", tmp_path / "weights", "Knee")
    finally:
        os.umask(before)
    written = list((tmp_path / "weights").rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in written if path.is_file()} == {modes[0]}
    assert {path.stat().st_mode & 0o777 for path in written if path.is_dir()} == {modes[1]}
