"""Each compact recipe's own way to learn: from an image and what is true of it to a step of training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dicom_node.datasets import read_dataset
from dicom_node.errors import ObjectError, WeightsError
from dicom_node.images import Photograph, Volume
from pipelines.networks.lite_unet import LiteEncoder, LiteUNet
from pipelines.networks.unet import CompactUNet
from pipelines.training import brain_mr, ct_organs, painted_heads, polyp_es, view_cxr
from pipelines.training.data import read_grey
from pipelines.training.losses import answer, mask_loss
from pipelines.training.made_views import CLOSE, figure
from pipelines.training.projecting import SIZE, Profiles, drawn
from pipelines.training.segmenting import Sample, Turns, turned
from pipelines.training.split import split_cases
from pipelines.training.start import started
from pipelines.training.starter_data import kidneys, lay_out, scenes_of
from pipelines.training.task import Task
from tests.pipelines.support import chest, radiograph, shared_data, stack


def slices(**facts: Any) -> tuple[Volume, np.ndarray]:
    """Soft tissue with one bright block, and a mask of it."""
    array, mask = np.full((6, 80, 96), 40, np.float32), np.zeros((6, 80, 96), np.uint8)
    array[1:5, 20:50, 30:70], mask[1:5, 20:50, 30:70] = 160, 1
    affine = np.array([[0, 0, 2, 0], [0, 2, 0, 0], [4, 0, 0, 0], [0, 0, 0, 1]], float)
    return Volume(array, affine, "1.3", stack(6, **facts)), mask


def photograph() -> tuple[Photograph, np.ndarray]:
    picture, mask = np.full((1, 90, 120, 3), 120, np.uint8), np.zeros((1, 90, 120), np.uint8)
    picture[0, 30:60, 40:80, 0], mask[0, 30:60, 40:80] = 230, 255
    return Photograph(picture, stack()), mask


CASES: Mapping[str, tuple[Task, Any, Any]] = {
    "liver": (ct_organs.LIVER, *slices()),
    "kidney": (ct_organs.KIDNEY, *slices(windowed="8 bit")),
    "brain": (brain_mr.SMALL, *slices()),
    "polyp": (polyp_es.SMALL, *photograph()),
    "view": (view_cxr.SMALL, radiograph(chest()), "frontal"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_image_and_its_truth_make_a_step_of_training(name: str) -> None:
    task, image, truth = CASES[name]
    sample = list(task.samples(image, truth))[1 if name in ("liver", "kidney") else 0]
    drawn_ones = [task.draw(sample, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(drawn_ones[0][0], drawn_ones[1][0])
    assert not np.array_equal(drawn_ones[0][0], drawn_ones[2][0])
    batch = tuple(torch.from_numpy(np.stack(column)) for column in zip(*drawn_ones, strict=True))
    network = task.network()
    value = task.loss(network, batch)
    value.backward()
    assert 0 < value.item() < 5
    assert any(one.grad is not None and one.grad.abs().max() > 0 for one in network.parameters())


def test_a_mask_moves_with_its_picture() -> None:
    picture = np.zeros((64, 64), np.uint8)
    picture[20:40, 10:30] = 255
    sample = Sample(picture, (picture > 0).astype(np.uint8))
    for seed in range(5):
        moved = turned(sample, Turns(30, (0.8, 1.2), 0.1, 0.1, 0.5, 0.5), np.random.default_rng(seed))
        assert ((moved.picture > 127) == (moved.labels > 0)).mean() > 0.98
        assert 150 < moved.labels.sum() < 800


def test_a_view_that_is_none_of_ours_is_named() -> None:
    with pytest.raises(ObjectError, match="'oblique'"):
        list(view_cxr.samples(radiograph(chest()), "oblique"))


def test_a_sliver_weighs_as_much_as_a_whole_organ_where_each_picture_counts() -> None:
    labels = torch.zeros(2, 64, 64, dtype=torch.uint8)
    labels[0, :32], labels[1, 0, :20] = 1, 1
    answers = torch.where(labels[:, None] == 1, 9.0, -9.0)
    answers[1] = -9.0  # the sliver is missed
    network = torch.nn.Identity()
    missed = [float(mask_loss(1, each=each)(network, (answers, labels))) for each in (True, False)]
    assert missed[0] > missed[1] + 0.3


@pytest.mark.parametrize(("able", "kind"), [(True, torch.bfloat16), (False, torch.float32)])
def test_training_is_in_half_precision_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, able: bool, kind: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": able})
    used: list[torch.dtype] = []
    network = torch.nn.Conv2d(1, 1, 1)
    network.register_forward_hook(lambda _network, _pictures, found: used.append(found.dtype))
    assert answer(network, torch.zeros(1, 1, 4, 4)).dtype == torch.float32
    assert used == [kind]


def published_encoder() -> dict[str, torch.Tensor]:
    """A checkpoint with the tensors of a whole classifier, in their published order."""
    tensors = {f"tensor{k}": one.clone() + 1 for k, one in enumerate(LiteEncoder().state_dict().values())}
    return {**tensors, "_conv_head.weight": torch.zeros(1280, 320, 1, 1), "_fc.bias": torch.zeros(1000)}


def test_an_encoder_starts_from_a_published_checkpoint_and_from_no_other(tmp_path: Path) -> None:
    network, tensors = LiteUNet(3, 1), published_encoder()
    before = [one.clone() for one in network.up.state_dict().values()]
    torch.save(tensors, tmp_path / "lite0.pth")
    started(network, tmp_path / "lite0.pth")
    assert torch.equal(next(iter(network.encoder.state_dict().values())), tensors["tensor0"])
    assert all(torch.equal(a, b) for a, b in zip(before, network.up.state_dict().values(), strict=True))
    grey = LiteEncoder(inputs=1)
    grey.start_from(tensors)
    assert torch.equal(next(iter(grey.state_dict().values())), tensors["tensor0"].sum(dim=1, keepdim=True))
    del tensors["tensor3"]
    with pytest.raises(ValueError, match="no checkpoint of EfficientNet-Lite0"):
        network.encoder.start_from(tensors)


def test_a_network_starts_from_every_tensor_of_another_entry_that_fits(tmp_path: Path) -> None:
    liver = {name: one.half() for name, one in CompactUNet(1, 1).state_dict().items()}
    save_file(liver, tmp_path / "liver.safetensors")
    kidney = started(CompactUNet(1, 2), tmp_path / "liver.safetensors").state_dict()
    assert torch.equal(kidney["stem.0.weight"].half(), liver["stem.0.weight"])
    save_file({"other": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="no tensor fits"):
        started(CompactUNet(1, 2), tmp_path / "other.safetensors")


def test_a_painted_head_has_another_contrast_each_time_and_its_brain_marked() -> None:
    z, y, x = np.indices((painted_heads.SIZE,) * 3)
    radius = np.sqrt(sum((axis - painted_heads.SIZE / 2) ** 2 for axis in (z, y, x)))
    head = np.select([radius < 25, radius < 40, radius < 50, radius < 60], [2, 3, 24, 507], 0).astype(np.int16)
    slabs, brains = next(painted_heads.batches([head], 0, 1))
    assert slabs.shape == (painted_heads.BATCH, 3, painted_heads.SIZE, painted_heads.SIZE)
    assert -1.001 < float(slabs.min()) < float(slabs.max()) < 2.001
    inside = [float(slab[1][brain == 1].mean()) for slab, brain in zip(slabs, brains, strict=True) if brain.sum() > 500]
    assert len(inside) > 5
    assert np.std(inside) > 0.05


def test_made_radiographs_are_bright_where_much_is_passed() -> None:
    body = np.clip(200 - np.abs(np.arange(SIZE) - SIZE / 2) * 4, 0, None).astype(np.float32)
    source = Profiles(np.stack([body / 2] * 3), np.stack([body] * 2), np.zeros((10, SIZE), np.float32))
    pictures = [drawn(source, "lateral", np.random.default_rng(seed)) for seed in range(4)]
    assert all(one[:, 70:90].mean() > one[:, :15].mean() + 50 for one in pictures)
    assert not np.array_equal(pictures[0], pictures[1])
    assert turned(Sample(pictures[0], pictures[0]), CLOSE, np.random.default_rng(0)).picture.shape == (SIZE, SIZE)


def test_a_figure_is_a_window_of_a_slice() -> None:
    hu = np.full((60, 60), -1000, np.float32)
    hu[10:50, 15:45] = 40
    shapes = {figure(hu, np.random.default_rng(seed)).shape for seed in range(12)}
    assert (60, 60) in shapes
    assert any(rows < 45 for rows, _ in shapes)


def test_frames_that_look_alike_are_one_scene() -> None:
    random = np.random.default_rng(0)
    one, other = (random.integers(0, 255, (64, 64, 3)).astype(np.uint8) for _ in range(2))
    near = np.clip(one.astype(int) + random.integers(-9, 9, one.shape), 0, 255).astype(np.uint8)
    scenes = scenes_of([one, other, near])
    assert scenes[0] == scenes[2] != scenes[1]


def test_kidney_cases_stay_whole_and_each_part_has_tumours(tmp_path: Path) -> None:
    source = tmp_path / "ct_kidney"
    source.mkdir()
    lines = ["image,label,case"]
    for k in range(20):
        mask = np.ones((4, 4), np.uint8)
        mask[0, 0] += k % 4 < 2
        cv2.imwrite(str(source / f"image{k}.png"), mask)
        cv2.imwrite(str(source / f"mask{k}.png"), mask)
        lines.append(f"image{k}.png,mask{k}.png,case {k // 2}")
    (source / "index.csv").write_text("\n".join(lines))
    lay_out(list(kidneys(tmp_path)), tmp_path / "laid")
    split = split_cases(read_dataset(tmp_path / "laid"))
    parts = [split.train, split.validation, split.test]
    assert [len(part) for part in parts] == [12, 4, 4]
    assert sum(len({case.patient for case in part}) for part in parts) == 10
    masks = [[read_grey(tmp_path / "laid" / "masks" / case.name) for case in part] for part in parts]
    assert [sum(bool(np.any(mask == 2)) for mask in part) for part in masks] == [6, 2, 2]


def test_the_development_data_have_the_kidney_slices_that_the_card_counts() -> None:
    items = list(kidneys(shared_data("ct_kidney").parent))
    test = [item for item in items if item.part == "test"]
    assert (len(test), len({item.patient for item in test})) == (15, 7)
