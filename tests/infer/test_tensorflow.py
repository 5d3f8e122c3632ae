"""Entries that TensorFlow runs: what they give, and what is refused before anything of it runs."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from dicom_node.config import Config, load_config
from dicom_node.errors import ModelError, WeightsError
from dicom_node.findings import Segmentation, load_findings
from dicom_node.images import Stack
from dicom_node.imaging import split
from dicom_node.infer.process import ModelProcess
from dicom_node.infer.tensorflow_process import TensorFlowProcess
from dicom_node.weights_store import BareNetwork, Weights
from pipelines.published.tables import tables
from tests.parity.writer import write
from tests.support.dicom import encoded, radiograph
from tests.support.tensorflow import cpu_ticks, descendant, entry, require_tensorflow

pytestmark = pytest.mark.xdist_group("tensorflow")

SERVER = "dicom_node.infer.tensorflow_serving"


def network(process: TensorFlowProcess, path: Path, recipe: str = "any") -> BareNetwork:
    return process.opened(entry(path, recipe), "cpu").network


def refused(process: TensorFlowProcess, stated: Weights) -> str:
    with pytest.raises(WeightsError, match="weights 'mine'") as caught:
        process.opened(stated, "cpu")
    return str(caught.value)


def test_a_keras_models_outputs_have_their_names(tensorflow: TensorFlowProcess, models: Path) -> None:
    batch = np.random.default_rng(0).standard_normal((1, 5, 6, 2), np.float32)
    found = network(tensorflow, models / "several.keras").outputs(batch)
    centred = (batch - batch.mean((1, 2))) / np.sqrt(batch.var((1, 2)) + 1e-3)
    assert np.allclose(found["out"], centred + 1, atol=1e-5)
    assert np.array_equal(found["again"], batch)


def test_a_saved_models_only_output_is_out(tensorflow: TensorFlowProcess, models: Path) -> None:
    opened = tensorflow.opened(entry(models / "bright"), "cpu").network
    assert (opened.takes, opened.gives) == ((None,) * 4, {"out": (None,) * 4})
    assert opened(np.array([100, 200], np.int16).reshape(1, 1, 1, 2)).tolist() == [[[[0.0, 1.0]]]]


def test_an_array_of_another_shape_is_an_error_that_says_which(tensorflow: TensorFlowProcess, models: Path) -> None:
    lungs = network(tensorflow, models / "lungs.keras")
    with pytest.raises(ModelError, match=r"'mine': the network takes \(None, 1024, 1024, 1\), not \(1, 8, 8, 1\)"):
        lungs(np.zeros((1, 8, 8, 1)))


@pytest.mark.parametrize("file", ["variables/variables.data-00000-of-00001", "saved_model.pb", "assets/more.txt"])
def test_a_saved_model_of_which_one_byte_was_altered_is_refused(
    file: str, tensorflow: TensorFlowProcess, models: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(models / "bright", tmp_path / "bright"))
    stated, target = entry(folder), folder / file
    data = bytearray(target.read_bytes() if target.exists() else b"\0")
    data[-1] ^= 1
    target.write_bytes(data)
    assert "the catalogue says" in refused(tensorflow, stated)


def test_a_link_in_a_saved_model_is_refused(tensorflow: TensorFlowProcess, models: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models / "bright", tmp_path / "bright"))
    stated = entry(folder)
    (folder / "more").symlink_to(models)
    assert "more is a link" in refused(tensorflow, stated)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("lambda.keras", "it holds 'Lambda', which carries or fetches code"),
        ("python", "it calls Python code"),
        ("two_inputs.keras", "takes 2 inputs"),
    ],
)
def test_what_carries_code_or_cannot_be_fed_is_refused(
    file: str, said: str, tensorflow: TensorFlowProcess, models: Path
) -> None:
    assert said in refused(tensorflow, entry(models / file))
    assert not (models / "marker").exists()


def test_a_lambda_layer_beside_legacy_weights_is_refused(tensorflow: TensorFlowProcess, tmp_path: Path) -> None:
    path = write(tables()["LungSeg"], tmp_path / "lungs.h5")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = '{"class_name": "Model", "config": {"layers": [{"class_name": "Lambda"}]}}'
    assert "'Lambda'" in refused(tensorflow, entry(path, "LungSeg"))


@pytest.mark.parametrize("file", ["lungs.keras", "lungs.h5", "bright"])
@pytest.mark.parametrize("keep", [0.0, 0.6, 0.95])
def test_a_truncated_file_is_refused(
    file: str, keep: float, tensorflow: TensorFlowProcess, models: Path, tmp_path: Path
) -> None:
    if file == "lungs.h5":
        path = target = write(tables()["LungSeg"], tmp_path / file)
    elif file == "bright":
        path = Path(shutil.copytree(models / file, tmp_path / file))
        target = path / "saved_model.pb"
    else:
        path = target = Path(shutil.copy(models / file, tmp_path))
    os.truncate(target, int(keep * target.stat().st_size))
    assert path.name in refused(tensorflow, entry(path, "LungSeg"))


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("LiverSeg", "tensor conv3d/conv3d/kernel:0 expected kernel (3, 3, 3, 1, 32)"),
        ("EnhanceCls", "conv1_conv"),
        ("lung-cxr-small", "has no Keras network"),
    ],
)
def test_legacy_weights_of_another_recipe_are_refused(
    recipe: str, said: str, tensorflow: TensorFlowProcess, tmp_path: Path
) -> None:
    path = write(tables()["LungSeg"], tmp_path / "lungs.h5")
    for _ in range(2):  # by the same names, whatever was opened before
        assert said in refused(tensorflow, entry(path, recipe))


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    path = tmp_path / "image.dcm"
    path.write_bytes(encoded(radiograph("1.2.3", "1.2.3.4")))
    (found,) = split("1.2.3", "1.2.3.4", [(str(path), "SCANNER")]).stacks
    return found


def configured(folder: Path, **entries: Weights) -> Config:
    """A configuration with one lung pipeline for each entry, and the catalogue with them."""
    lines = ["[pipelines.{0}]\nuse = 'pipelines.lung_cxr:LungCXR'\nmin_pixels = 16\nweights = '{0}'\n"]
    (folder / "config.toml").write_text(
        "".join(["weights = 'weights'\n", *(lines[0].format(name) for name in entries)])
    )
    (folder / "weights").mkdir()
    catalog = [
        f"[{name}]\nfile = '{one.path}'\nsha256 = '{one.sha256}'\nrecipe = 'LungSeg'\n" for name, one in entries.items()
    ]
    (folder / "weights" / "catalog.toml").write_text("".join(catalog))
    return load_config(folder / "config.toml")


def test_a_killed_process_fails_its_run_and_the_next_one_runs(models: Path, stack: Stack, tmp_path: Path) -> None:
    files = {"quick": "lungs.keras", "slow": "endless", "hostile": "lambda.keras"}
    process = ModelProcess(configured(tmp_path, **{name: entry(models / file) for name, file in files.items()}))
    failures = list[str]()

    def run_slow() -> None:
        try:
            process.run("slow", stack, tmp_path / "slow.npz")
        except ModelError as error:
            failures.append(str(error))

    problems = {name: process.check(name) for name in files}
    assert (problems["quick"], problems["slow"]) == ("", "")
    assert "weights 'hostile': lambda.keras: is refused" in problems["hostile"]
    running = threading.Thread(target=run_slow, daemon=True)
    server = descendant(SERVER, descendant("dicom_node.infer.serving", os.getpid()))
    before = cpu_ticks(server)
    running.start()
    while cpu_ticks(server) < before + 50:  # half a second of the endless loop
        time.sleep(0.1)
    os.kill(server, signal.SIGKILL)
    running.join(60)
    assert failures == ["weights 'slow': the TensorFlow process was ended by SIGKILL (out of memory?)"]
    assert not process.run("quick", stack, tmp_path / "again.npz").problem
    assert load_findings(tmp_path / "again.npz").of(Segmentation)[0].labels.any()
    process.close()


def imported_with(*modules: str) -> set[str]:
    """Return which frameworks a fresh interpreter holds once it has imported these modules."""
    program = f"import sys, {', '.join(modules)}; print(*({{'torch', 'tensorflow', 'keras'}} & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_tensorflow_is_not_imported_where_torch_runs() -> None:
    assert imported_with("dicom_node.infer.serving", "pipelines.lung_cxr") == {"torch"}


def test_torch_is_not_imported_where_tensorflow_runs() -> None:
    require_tensorflow()
    assert "torch" not in imported_with(SERVER, "pipelines.published.keras")


def test_without_tensorflow_an_entry_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "x.keras").write_bytes(b"")
    config = configured(tmp_path, mine=dataclasses.replace(entry(tmp_path / "x.keras")))
    absent = "import sys; sys.modules['tensorflow'] = None; from dicom_node.cli import main; main()"
    command = [sys.executable, "-c", absent, "weights", "list", "--config", str(config.folder / "config.toml")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120, env={**os.environ, "COLUMNS": "250"}
    )
    assert "needs TensorFlow" in done.stdout
