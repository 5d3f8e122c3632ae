"""What the importer accepts, what it writes, and what it refuses."""

from __future__ import annotations

import datetime
import hashlib
import os
import pickle
import tomllib
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from dicom_node.errors import WeightsError
from dicom_node.weights_import import Card
from dicom_node.weights_store import read_catalog
from pipelines.published.importing import import_published
from pipelines.published.tables import tables
from tests.parity.writer import write

SMALL, BY_NAME, TORCH = "LungSeg", "LRDet", "MRIBET_T1"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tables()[SMALL], tmp_path / "lungs.h5")


def refused(file: Path, recipe: str | None = SMALL) -> str:
    folder = file.parent / "weights"
    with pytest.raises(WeightsError) as caught:
        import_published(file, "mine", folder, recipe)
    assert not folder.exists() or not list(folder.iterdir())
    return str(caught.value)


def test_the_catalogue_says_what_was_imported_from_what(source: Path, tmp_path: Path) -> None:
    entry = import_published(source, "mine", tmp_path, card=Card(licence="CC0", source='a \u007f "made-up" file'))
    entry.verify()
    assert entry.recipe == SMALL
    assert entry.card["imported_from_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert entry.card["imported"] == datetime.datetime.now().astimezone().date()
    assert (entry.card["licence"], entry.card["source"]) == ("CC0", 'a \u007f "made-up" file')


def test_other_entries_and_comments_stay_as_they_were(source: Path, tmp_path: Path) -> None:
    before = '# by hand\n[old] # kept\nfile = "old.safetensors"\nsha256 = "00"\nrecipe = "x"\n'
    (tmp_path / "catalog.toml").write_text(before)
    import_published(source, "mine", tmp_path)
    text = (tmp_path / "catalog.toml").read_text()
    assert text.startswith(before)
    assert set(tomllib.loads(text)) == {"old", "mine"}
    assert not list(tmp_path.glob("*.part"))


def test_a_name_is_used_once(source: Path, tmp_path: Path) -> None:
    import_published(source, "mine", tmp_path)
    with pytest.raises(WeightsError, match="already"):
        import_published(source, "mine", tmp_path)
    assert set(read_catalog(tmp_path)) == {"mine"}


@pytest.mark.parametrize("name", ["", "../mine", "a b", "a.b", ".hidden", "a/b", '"'])
def test_a_name_that_is_no_file_name_is_refused(name: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot name an entry"):
        import_published(source, name, tmp_path)


def test_an_unknown_recipe_is_refused_with_the_known_ones(source: Path) -> None:
    assert "LiverSeg" in refused(source, "Liver")


@pytest.mark.parametrize(
    ("recipe", "others"),
    [
        ("BBBSeg", ("LiverSeg", "BBBSeg")),
        ("KidneyTumorSeg_2_3", tuple(f"KidneyTumorSeg_2_{k}" for k in (1, 3, 4, 5))),
        ("MRIBET_MRA", ("MRIBET_T1", "MRIBET_MRA")),
    ],
)
def test_tensors_that_fit_several_recipes_need_a_name(recipe: str, others: tuple[str, ...], tmp_path: Path) -> None:
    said = refused(write(tables()[recipe], tmp_path / "file"), None)
    assert "--recipe" in said
    assert all(other in said for other in others)


@pytest.mark.parametrize(
    "recipe", ["EnhanceCls", "ViewCls", "LRDet", "KidneyTumorSeg_1", "KidneyTumorSeg_2_2", "PolypDet"]
)
def test_tensors_that_fit_one_recipe_need_none(recipe: str, tmp_path: Path) -> None:
    assert import_published(write(tables()[recipe], tmp_path / "file"), "mine", tmp_path).recipe == recipe


def test_another_models_file_is_refused_and_the_nearest_recipe_named(tmp_path: Path) -> None:
    file = write(tables()["KidneyTumorSeg_1"], tmp_path / "kidney.h5")
    assert "does not fit recipe LiverSeg" in refused(file, "LiverSeg")
    with h5py.File(file, "a") as opened:
        del opened["conv3d_1"]
        opened.attrs["layer_names"] = [n for n in opened.attrs["layer_names"] if n != "conv3d_1"]
    assert "KidneyTumorSeg_1 comes closest" in refused(file, None)


@pytest.mark.parametrize(
    ("recipe", "layer"), [(SMALL, "conv2d_5"), (BY_NAME, "BiFPN_1_P6_bn"), ("ViewCls", "predictions")]
)
def test_a_missing_layer_is_named(recipe: str, layer: str, tmp_path: Path) -> None:
    file = write(tables()[recipe], tmp_path / "file.h5")
    with h5py.File(file, "a") as opened:
        opened.attrs["layer_names"] = [name for name in opened.attrs["layer_names"] if name != layer]
    said = refused(file, recipe)
    assert layer in said
    assert "missing" in said


@pytest.mark.parametrize("recipe", [SMALL, BY_NAME])
def test_a_left_over_layer_is_named(recipe: str, tmp_path: Path) -> None:
    file = write(tables()[recipe], tmp_path / "file.h5")
    with h5py.File(file, "a") as opened:
        opened.create_group("extra").attrs["weight_names"] = ["extra/kernel:0"]
        opened["extra"].create_dataset("extra/kernel:0", data=np.zeros((3, 3), np.float32))
        opened.attrs["layer_names"] = [*opened.attrs["layer_names"], "extra"]
    assert "extra/extra/kernel:0 (3, 3) is left over" in refused(file, recipe)


def test_a_renamed_layer_is_refused_where_names_count(tmp_path: Path) -> None:
    file = write(tables()[BY_NAME], tmp_path / "file.h5")
    with h5py.File(file, "a") as opened:
        opened.move("stem_bn", "root_bn")
        opened.attrs["layer_names"] = ["root_bn" if n == "stem_bn" else n for n in opened.attrs["layer_names"]]
    said = refused(file, BY_NAME)
    assert "stem_bn" in said
    assert "root_bn" in said


def test_a_wrong_shape_is_named(source: Path) -> None:
    with h5py.File(source, "a") as opened:
        del opened["conv2d_3/conv2d_3/kernel:0"]
        opened.create_dataset("conv2d_3/conv2d_3/kernel:0", data=np.zeros((3, 3, 64, 65), np.float32))
    assert "conv2d_3/conv2d_3/kernel:0 expected kernel (3, 3, 64, 64)" in refused(source)


def test_a_huge_tensor_is_refused_before_it_is_read(source: Path) -> None:
    with h5py.File(source, "a") as opened:
        del opened["conv2d/conv2d/kernel:0"]
        opened["conv2d"].create_dataset("conv2d/kernel:0", shape=(1 << 40,), chunks=(1 << 16,), dtype="f4")
    assert str(1 << 40) in refused(source)


def test_numbers_that_are_none_are_refused(source: Path) -> None:
    with h5py.File(source, "a") as opened:
        opened["conv2d/conv2d/bias:0"][3] = np.nan
    assert "no finite numbers" in refused(source)


@pytest.mark.parametrize("link", [h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/conv2d_1")])
def test_links_are_not_followed(link: object, source: Path) -> None:
    with h5py.File(source, "a") as opened:
        del opened["conv2d"]
        opened["conv2d"] = link
    assert "is a link to elsewhere" in refused(source)


def test_values_kept_outside_the_file_are_refused(source: Path) -> None:
    outside = source.with_name("outside.raw")
    outside.write_bytes(bytes(1152))
    with h5py.File(source, "a") as opened:
        del opened["conv2d/conv2d/kernel:0"]
        opened["conv2d/conv2d"].create_dataset("kernel:0", (3, 3, 1, 32), "f4", external=[(str(outside), 0, 1152)])
    assert "lie in another file" in refused(source)


@pytest.mark.parametrize("keep", [8, 2000, 0.5, 0.99])
def test_a_truncated_file_is_refused(keep: float, source: Path) -> None:
    size = source.stat().st_size
    os.truncate(source, int(keep if keep > 1 else keep * size))
    assert "damaged or incomplete" in refused(source)


def test_hdf5_that_is_no_keras_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as opened:
        opened["x"] = np.zeros(3)
    assert "layer_names" in refused(tmp_path / "data.h5")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 100, b"%PDF-1.7"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "what.h5").write_bytes(content)
    assert "neither HDF5" in refused(tmp_path / "what.h5")


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be opened" in refused(tmp_path / "none.h5")


class Touch:
    """Unpickles to a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_refused_and_never_runs(how: str, tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "evil.pth"
    if how == "torch":
        torch.save({"net": Touch(mark)}, file)
    else:
        file.write_bytes(pickle.dumps({"net": Touch(mark)}))
    said = refused(file, TORCH)
    assert not mark.exists()
    assert "could run code" in said


def test_a_checkpoint_needs_its_state_dict_under_net(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "other.pth")
    assert 'no state dict under "net", only: model' in refused(tmp_path / "other.pth", TORCH)


def test_a_missing_and_a_left_over_key_are_named(tmp_path: Path) -> None:
    file = write(tables()[TORCH], tmp_path / "brain.pth")
    held = torch.load(file, weights_only=True)
    held["net"]["module.Out.conv.bias"] = held["net"].pop("Out.conv.bias")
    torch.save(held, file)
    said = refused(file, TORCH)
    assert "tensor Out.conv.bias (1,) is missing" in said
    assert "tensor module.Out.conv.bias (1,) is left over" in said


def test_step_counters_are_left_behind(tmp_path: Path) -> None:
    file = write(tables()[TORCH], tmp_path / "brain.pth")
    held = torch.load(file, weights_only=True)
    held["net"]["In.double_conv.1.num_batches_tracked"] = torch.tensor(100)
    torch.save(held, file)
    assert import_published(file, "mine", tmp_path, TORCH).recipe == TORCH


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    file = write(tables()[TORCH], tmp_path / "brain.pth")
    os.truncate(file, file.stat().st_size // 2)
    assert "damaged" in refused(file, TORCH)


def test_an_archive_that_unpacks_to_more_than_it_has_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    assert "would unpack" in refused(tmp_path / "bomb.pth", TORCH)


def test_a_recipe_of_the_other_framework_is_refused(source: Path) -> None:
    assert "published as a torch checkpoint" in refused(source, TORCH)
