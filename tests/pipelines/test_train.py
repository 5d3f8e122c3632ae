"""`train` on a handful of synthetic images: two lungs that anyone can see."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from SimpleITK import GetImageFromArray, WriteImage
from torch import nn
from typer.testing import CliRunner

from dicom_node.cli import app
from dicom_node.config import Config
from dicom_node.datasets import read_dataset
from dicom_node.errors import WeightsError
from dicom_node.weights_store import read_catalog
from pipelines.networks.lite_unet import LiteUNet
from pipelines.published.importing import import_published
from pipelines.published.tables import tables
from pipelines.recipes import fill
from pipelines.training import ct_organs
from pipelines.training.loop import CHECKPOINT, freeze, train_mode
from pipelines.training.run import Options, Told, train
from pipelines.training.split import split_cases
from pipelines.training.tasks import TASKS, task_for
from tests.parity.writer import write
from tests.pipelines.support import chest_ct


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_lungs(folder: Path, patients: int = 5, each: int = 2, size: int = 96) -> Path:
    """Bright bodies with two dark ellipses: images, masks (255) and their patients."""
    random = np.random.default_rng(3)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    rows = []
    for k in range(patients * each):
        picture, mask = np.full((size, size), 190, np.uint8), np.zeros((size, size), np.uint8)
        for side in (-1, 1):
            centre = (round(size * (0.5 + 0.2 * side)), round(size * random.uniform(0.45, 0.55)))
            axes = (round(size * 0.13), round(size * random.uniform(0.25, 0.35)))
            cv2.ellipse(picture, centre, axes, 0, 0, 360, 50, -1)
            cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1)
        grain = random.normal(0, 4, picture.shape)
        cv2.imwrite(str(folder / "images" / f"{k}.png"), np.clip(picture + grain, 0, 255).astype(np.uint8))
        cv2.imwrite(str(folder / "masks" / f"{k}.png"), mask)
        rows.append((f"{k}.png", f"p{k // each}"))
    with (folder / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "patient"), *rows])
    return folder


def config(folder: Path) -> Config:
    return Config.model_validate({"folder": folder, "weights": "weights", "pipelines": {"lung_cxr": {}}})


def options(tmp_path: Path, **changes: object) -> Options:
    values: dict[str, object] = {"pipeline": "lung_cxr", "data": tmp_path / "data", "out": tmp_path / "out"}
    return Options(**{**values, "name": "lungs", "epochs": 12, **changes})  # type: ignore[arg-type]


def test_a_training_learns_measures_and_leaves_an_entry_that_a_pipeline_can_name(tmp_path: Path) -> None:
    write_lungs(tmp_path / "data")
    losses: list[float] = []
    told = Told(step=lambda _epoch, loss: losses.append(loss))
    entry, report = train(config(tmp_path), options(tmp_path, licence="CC0"), told)
    assert np.mean(losses[-2:]) < 0.9 * np.mean(losses[:2])
    assert 0.2 < report.metrics["dsc"].value <= 1
    assert report.patients == 1
    entry.verify()
    assert (entry.recipe, entry.card["licence"], entry.card["ignore"]) == ("lung-cxr-small", "CC0", 127)
    assert "dsc 0." in entry.card["quality"]
    card = (tmp_path / "out" / "card.md").read_text()
    assert "Not a medical device" in card
    assert len(list((tmp_path / "out" / "worst").glob("*.png"))) == len(report.cases)


def test_the_name_of_an_entry_that_there_is_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "catalog.toml").write_text('[lungs]\nfile = "x"\nsha256 = ""\nrecipe = "lung-cxr-small"\n')
    with pytest.raises(WeightsError, match="has an entry 'lungs' already"):
        train(config(tmp_path), options(tmp_path), Told())


EPOCHS: Final = 3
SCORED: Final = "dsc on the validation part"


@pytest.fixture(scope="module")
def unbroken(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001  # as the others run
    """A folder with data, and what a training on them left in weights/ and out/."""
    folder = tmp_path_factory.mktemp("unbroken")
    write_lungs(folder / "data", each=1)
    train(config(folder), options(folder, epochs=EPOCHS), Told())
    return folder


def start_training(folder: Path, data: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text('weights = "weights"\n[pipelines.lung_cxr]\n')
    words = ("train", "lung_cxr", "--data", str(data), "--as", "lungs", "--out", "out", "--epochs", str(EPOCHS))
    program = Path(sys.executable).with_name("dicom-node")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([program, *words], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def ended(training: subprocess.Popen[str]) -> tuple[int, int]:
    """Wait; return the exit status, and how many epochs were trained."""
    said, _ = training.communicate()
    return training.returncode, said.count(SCORED)


@pytest.mark.timeout(900)  # two trainings, each a process: slow where others use the processors
def test_a_training_killed_in_the_middle_goes_on_and_ends_as_an_unbroken_one(unbroken: Path, tmp_path: Path) -> None:
    broken = start_training(tmp_path, unbroken / "data")
    deadline = time.monotonic() + 400
    while not (tmp_path / "out" / CHECKPOINT).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(broken.pid, signal.SIGKILL)
    status, before = ended(broken)
    assert status == -signal.SIGKILL
    assert 0 < before < EPOCHS
    assert not (tmp_path / "weights").exists()
    assert ended(start_training(tmp_path, unbroken / "data")) == (0, EPOCHS - before)
    one, other = (read_catalog(folder / "weights")["lungs"].sha256 for folder in (unbroken, tmp_path))
    assert one == other


def test_a_checkpoint_of_other_data_is_not_gone_on_from(unbroken: Path, tmp_path: Path) -> None:
    write_lungs(tmp_path / "data", patients=6, each=1)
    with pytest.raises(WeightsError, match="of a training with other data"):
        train(config(tmp_path), options(tmp_path, epochs=EPOCHS, out=unbroken / "out"), Told())


def test_frozen_parts_keep_weights_and_statistics() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))
    freeze(network, ("2",))
    train_mode(network)
    before = {name: one.clone() for name, one in network.state_dict().items()}
    optimiser = torch.optim.AdamW([one for one in network.parameters() if one.requires_grad], lr=0.1)
    network(torch.randn(4, 1, 8, 8)).mean().backward()
    optimiser.step()
    changed = {name for name, one in network.state_dict().items() if not torch.equal(one, before[name])}
    assert changed == {"2.weight", "2.bias"}


def test_the_first_stages_of_a_taught_encoder_stay_where_training_goes_on_from_them() -> None:
    network = LiteUNet(inputs=1, outputs=1)
    freeze(network, kept=ct_organs.LIVER.kept)
    closed = {name.rsplit(".", 2)[0] for name, one in network.named_parameters() if not one.requires_grad}
    assert closed
    assert all(name.startswith(("encoder.stem", "encoder.stages.0", "encoder.stages.1")) for name in closed)
    assert network.head.weight.requires_grad


def test_training_goes_on_from_an_entry_and_says_so(unbroken: Path, tmp_path: Path) -> None:
    second, _ = train(
        config(unbroken),
        options(unbroken, epochs=1, name="b", start="lungs", layers="head", out=tmp_path / "b"),
        Told(),
    )
    first = read_catalog(unbroken / "weights")["lungs"]
    assert second.card["started_from"] == f"lungs ({first.sha256})"
    one, other = load_file(first.path), load_file(second.path)
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    assert changed == {"head.weight", "head.bias"}


def test_patients_stay_together_and_every_part_has_some(tmp_path: Path) -> None:
    dataset = read_dataset(write_lungs(tmp_path / "data", patients=7, each=3))
    for fold in range(5):
        split = split_cases(dataset, fold)
        parts = [{case.patient for case in part} for part in (split.train, split.validation, split.test)]
        assert all(parts)
        assert sum(len(part) for part in parts) == len(set().union(*parts)) == 7


def test_without_steering_all_but_the_test_patients_are_trained_on_and_the_last_epoch_is_kept(tmp_path: Path) -> None:
    write_lungs(tmp_path / "data", each=1)
    scored: list[float] = []
    told = Told(scored=lambda _metric, score: scored.append(score))
    train(config(tmp_path), options(tmp_path, epochs=2, steered=False, fold=2), told)
    with (tmp_path / "out" / "split.csv").open(newline="") as file:
        parts = {row["file"]: row["part"] for row in csv.DictReader(file)}
    assert sorted(parts.values()) == ["test"] + ["train"] * 4
    steered = split_cases(read_dataset(tmp_path / "data"), fold=2)
    assert [name for name, part in parts.items() if part == "test"] == [case.name for case in steered.test]
    assert not scored
    kept = load_file(tmp_path / "weights" / "lungs.safetensors")
    last = torch.load(tmp_path / "out" / CHECKPOINT, weights_only=True)["states"]["averaged"]
    for name, tensor in kept.items():
        assert torch.equal(tensor, last[f"module.{name}"].half()), name


def test_every_compact_recipe_here_has_a_task() -> None:
    compact = {task.pipeline: task.recipe for task in TASKS if not task.published}
    assert compact["lung_cxr"] == "lung-cxr-small"
    assert {"contrast_ct", "lr_mark_cxr", "lung_cxr"} <= compact.keys()
    with pytest.raises(WeightsError, match="cannot be trained"):
        task_for("lung_cxr", "LiverSeg")


def test_the_command_trains_the_head_of_imported_weights_and_keeps_the_rest_to_the_last_bit(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    lines = ["file,label,patient"]
    for k in range(3):
        volume = chest_ct(blood_hu=180 if k % 2 else 40, slices=1)
        image = GetImageFromArray(volume.array)
        image.SetSpacing((1.4, 1.4, 5.0))
        WriteImage(image, str(tmp_path / "data" / f"{k}.nii.gz"))
        lines.append(f"{k}.nii.gz,{'enhanced' if k % 2 else 'non-enhanced'},p{k}")
    (tmp_path / "data" / "index.csv").write_text("\n".join(lines))
    (tmp_path / "config.toml").write_text('weights = "weights"\n[pipelines.contrast_ct]\n')
    first = import_published(write(tables()["EnhanceCls"], tmp_path / "h5"), "mine", tmp_path / "weights")
    words = ["train", "contrast_ct", "--data", str(tmp_path / "data"), "--from", "mine", "--as", "ours"]
    words += ["--epochs", "1", "--out", str(tmp_path / "out"), "--config", str(tmp_path / "config.toml")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output or repr(done.exception)
    second = read_catalog(tmp_path / "weights")["ours"]
    assert (second.recipe, second.card["started_from"]) == ("EnhanceCls", f"mine ({first.sha256})")
    one, other = load_file(first.path), load_file(second.path)
    changed = {name.split(".")[0] for name in one if not torch.equal(one[name], other[name])}
    assert changed == {"predictions", "final_layer"}


@pytest.mark.parametrize(("pipeline", "recipe", "channels"), [("lung_cxr", "LungSeg", 1), ("polyp_es", "PolypDet", 3)])
def test_a_step_on_imported_weights_of_a_segmenter_changes_its_head_alone(
    tmp_path: Path, pipeline: str, recipe: str, channels: int
) -> None:
    task = task_for(pipeline, recipe)
    imported = import_published(write(tables()[recipe], tmp_path / "h5"), "mine", tmp_path / "weights")
    network = fill(task.network(), imported, "cpu")
    freeze(network, task.head)
    train_mode(network)
    before = {name: one.clone() for name, one in network.state_dict().items()}
    optimiser = torch.optim.AdamW([one for one in network.parameters() if one.requires_grad], lr=1e-3)
    pictures = torch.from_numpy(np.random.default_rng(0).random((2, channels, 64, 64), np.float32))
    task.loss(network, (pictures, (pictures[:, 0] > 0.5).to(torch.uint8))).backward()
    optimiser.step()
    changed = {name for name, one in network.state_dict().items() if not torch.equal(one, before[name])}
    assert changed
    assert all(any(name.startswith(f"{part}.") for part in task.head) for name in changed)
