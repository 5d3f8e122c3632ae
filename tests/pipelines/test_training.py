from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipelines.training.data import CxrRow, folds_of, split_cxr
from pipelines.training.distractors import KINDS
from pipelines.training.loop import Batch, Plan, export, fit, sha256_of
from pipelines.training.lr_mark_cxr import Background, Label, draw_sample, targets, with_drawn_mark
from pipelines.training.marks import SIDES
from pipelines.training.starter_data import MARKS
from tests.pipelines.support import chest, shared_data


def row(patient: str, licence: str) -> CxrRow:
    return CxrRow(Path(f"{patient}.jpg"), None, "PA", patient, licence, None, None)


def batches(epoch: int) -> Iterator[Batch]:
    random = torch.Generator().manual_seed(epoch)
    for _ in range(3):
        x = torch.rand(4, 2, generator=random)
        yield x, x.sum(dim=1, keepdim=True)


def loss(network: nn.Module, batch: Batch) -> Tensor:
    error: Tensor = ((network(batch[0]) - batch[1]) ** 2).mean()
    return error


def trained(out: Path, stop_after: int | None = None) -> nn.Module:
    torch.manual_seed(1)
    network = nn.Linear(2, 1)
    if stop_after is not None:  # as if the machine went down: the plan is the same, the epochs end early

        def cut(epoch: int) -> Iterator[Batch]:
            if epoch >= stop_after:
                raise KeyboardInterrupt
            return batches(epoch)

        with pytest.raises(KeyboardInterrupt):
            fit(network, cut, loss, Plan(out, epochs=4, steps=3))
        torch.manual_seed(7)
        network = nn.Linear(2, 1)
    return fit(network, batches, loss, Plan(out, epochs=4, steps=3))


def test_a_resumed_training_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    whole, resumed = trained(tmp_path / "a"), trained(tmp_path / "b", stop_after=2)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_exported_weights_are_half_precision_without_step_counters(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    assert export(nn.BatchNorm2d(3), path) == sha256_of(path)
    assert b"num_batches_tracked" not in path.read_bytes()
    assert b"F16" in path.read_bytes()


def test_no_patient_is_in_two_parts_and_only_licensed_ones_train() -> None:
    rows = [row(f"p{k}", licence) for k in range(40) for licence in ("CC BY 4.0", "", "CC BY-NC-ND 4.0")[: 1 + k % 3]]
    rows += [row(f"q{k}", "") for k in range(10)]
    split = split_cxr(rows)
    parts = [{one.patient for one in part} for part in (split.train, split.tune, split.test)]
    assert len(parts[0] | parts[1] | parts[2]) == sum(len(part) for part in parts)
    assert all(one.trainable for one in (*split.train, *split.tune))
    assert {f"q{k}" for k in range(10)} <= parts[2]


def test_folds_keep_patients_whole_and_classes_even() -> None:
    patients = [f"p{k // 2}" for k in range(40)]
    enhanced = [k % 4 < 2 for k in range(40)]
    folds = folds_of(patients, enhanced, 5)
    assert all(folds[2 * k] == folds[2 * k + 1] for k in range(20))
    assert [sum(e for e, f in zip(enhanced, folds, strict=True) if f == k) for k in range(5)] == [4] * 5


def test_no_fold_stays_empty_however_the_classes_lie() -> None:
    assert sorted(folds_of(list("abcde"), ["x", "x", "y", "y", "z"], 5)) == [0, 1, 2, 3, 4]
    assert len(set(folds_of(list("aabbccdd"), [1, 2, 1, 2, 3, 3, 4, 4], 3))) == 3


def test_what_is_no_mark_is_drawn_in_many_kinds_and_each_can_be_seen() -> None:
    random = np.random.default_rng(0)
    for kind, _ in KINDS:
        drawn = kind(20.0, random)
        assert 0.4 < drawn.opacity.max() <= 1
        assert 0 < drawn.box[2] - drawn.box[0] <= drawn.value.shape[1] + 1


def test_a_label_becomes_one_centre_with_its_edges() -> None:
    heat, edges, known = targets([Label(1, 40, 60, 60, 100), Label(None, 200, 200, 220, 220)])
    assert np.argwhere(heat == 1).tolist() == [[1, 20, 12]]
    assert edges[:, 20, 12] == pytest.approx([12.5 - 10, 20.5 - 15, 15 - 12.5, 25 - 20.5])
    assert not known[52, 52]


def test_drawn_samples_hold_their_marks_inside_the_crop() -> None:
    random = np.random.default_rng(0)
    source = Background(chest(), (), 5.0, 180.0)
    labels = [label for _ in range(20) for label in draw_sample(source, random)[1]]
    assert {label.side for label in labels} == {0, 1}
    assert all(label.x2 - label.x1 > 2 and label.y2 - label.y1 > 2 for label in labels)


def test_one_mark_is_drawn_on_a_whole_radiograph_where_it_meets_no_other() -> None:
    there = Label(0, 100, 100, 160, 160)
    source = Background(chest(), (there,), 5.0, 180.0)
    drawn = [with_drawn_mark(source, np.random.default_rng(seed)) for seed in range(12)]
    marks = [one for _, labels in drawn for one in labels]
    assert {one.side for one in marks} == {0, 1}
    assert not any(one.meets(there) for one in marks)
    assert all(not np.array_equal(picture, source.picture) for picture, labels in drawn if labels)


def hand_boxed() -> list[dict[str, str]]:
    with MARKS.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_hand_boxed_marks_are_boxes_of_known_sides() -> None:
    rows = hand_boxed()
    assert sum(row["label"] in SIDES for row in rows) > 150
    assert {row["label"] for row in rows} == {*SIDES, "?"}
    assert all(float(row["x1"]) < float(row["x2"]) and float(row["y1"]) < float(row["y2"]) for row in rows)


def test_every_hand_boxed_file_is_in_the_development_data() -> None:
    folder = shared_data("cxr")
    assert [row["file"] for row in hand_boxed() if not (folder / "images" / row["file"]).is_file()] == []
