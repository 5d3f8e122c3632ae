"""`evaluate` through the shipped models, on layouts as a site would make them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from SimpleITK import GetImageFromArray, WriteImage
from typer.testing import CliRunner

from dicom_node import shipped
from dicom_node.cli import app
from dicom_node.config import load_config
from dicom_node.datasets import read_dataset
from dicom_node.errors import DicomNodeError
from dicom_node.evaluate import evaluate, open_subject, write_report
from dicom_node.findings import Segmentation
from dicom_node.images import Volume
from dicom_node.imaging import read_plain
from dicom_node.library import load
from pipelines.training.pooled import pool
from tests.pipelines.support import chest
from tests.support.dicom import encoded, series


def lungs(folder: Path) -> Path:
    """A radiograph, and what the shipped model finds in it as the truth: the figures must be perfect."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    cv2.imwrite(str(folder / "images" / "a.jpg"), chest())
    (found,) = load("lung_cxr").predict(folder / "images" / "a.jpg").findings.of(Segmentation)
    cv2.imwrite(str(folder / "masks" / "a.png"), (found.labels[0] > 0).astype(np.uint8) * 255)
    return folder


def test_masks_are_measured_and_drawn(tmp_path: Path) -> None:
    data, out = lungs(tmp_path / "data"), tmp_path / "out"
    words = ["evaluate", "lung_cxr", "--data", str(data), "--out", str(out), "--config", str(shipped.CONFIG)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "dsc" in done.output
    said = json.loads((out / "metrics.json").read_text())
    assert (said["task"], said["n"], said["n_patients"], said["refused"]) == ("lung_cxr", 1, 1, [])
    assert said["metrics"]["dsc"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}
    assert said["cases"][0]["file"] == "a.jpg"
    assert cv2.imread(str(out / "worst" / "01-a.png")) is not None


def test_ignored_pixels_do_not_count(tmp_path: Path) -> None:
    data = lungs(tmp_path / "data")
    mask = cv2.imread(str(data / "masks" / "a.png"), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    mask[mask > 0] = 127
    mask[:200][mask[:200] > 0] = 255
    cv2.imwrite(str(data / "masks" / "a.png"), mask)
    dataset = read_dataset(data)
    report = evaluate(open_subject(load_config(shipped.CONFIG), "lung_cxr"), dataset.kind, dataset.cases)
    assert report.metrics["dsc"].value == 1


def test_boxes_are_measured_from_low_scores_and_an_image_without_marks_counts(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    picture = chest()
    cv2.imwrite(str(tmp_path / "images" / "none.png"), picture)
    cv2.putText(picture, "L", (480, 90), cv2.FONT_HERSHEY_DUPLEX, 1.8, 250, 5)
    cv2.imwrite(str(tmp_path / "images" / "one.png"), picture)
    (tmp_path / "boxes.csv").write_text("file,label,x1,y1,x2,y2\none.png,L,482,49,511,93\n")
    dataset = read_dataset(tmp_path)
    report = evaluate(open_subject(load_config(shipped.CONFIG), "lr_mark_cxr"), dataset.kind, dataset.cases)
    assert {"map50", "recall", "precision"} == set(report.metrics)
    assert report.metrics["recall"].value == 1
    assert len(report.cases) == 2


def test_labels_of_dicom_slices_are_measured_and_patients_come_from_the_header(tmp_path: Path) -> None:
    for number, image in enumerate(series(2)):
        (tmp_path / f"{number}.dcm").write_bytes(encoded(image))
    (tmp_path / "index.csv").write_text("file,label\n0.dcm,non-enhanced\n1.dcm,enhanced\n")
    dataset = read_dataset(tmp_path)
    assert (dataset.kind, dataset.patients_known, len(set(dataset.patients))) == ("classes", True, 1)
    report = evaluate(open_subject(load_config(shipped.CONFIG), "contrast_ct"), dataset.kind, dataset.cases)
    assert report.metrics["balanced_accuracy"].value == 0.5  # two slices alike, labelled differently
    assert report.metrics["uncertain"].value == 1  # no lung in them
    path = write_report(report, tmp_path / "out")
    assert dataset.patients[0] not in path.read_text()


def test_a_refused_image_is_named_and_counted_apart(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), chest())
    (tmp_path / "index.csv").write_text("file,label\na.png,enhanced\n")
    subject = open_subject(load_config(shipped.CONFIG), "contrast_ct")
    with pytest.raises(DicomNodeError, match=r"no image was accepted: a\.png is a picture"):
        evaluate(subject, "classes", read_dataset(tmp_path).cases)


def test_volumes_have_masks_of_volumes_placed_in_space(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    labels = np.zeros((6, 8, 10), np.uint8)
    labels[2:4, 3:6, 4:9] = 1
    image = GetImageFromArray(np.zeros((6, 8, 10), np.float32))
    mask = GetImageFromArray(labels[::-1].copy())
    image.SetSpacing((1.0, 1.0, 2.0))
    mask.SetSpacing((1.0, 1.0, 2.0))
    mask.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))  # the same places, stored upside down
    mask.SetOrigin((0.0, 0.0, 10.0))
    WriteImage(image, str(tmp_path / "images" / "a.nii.gz"))
    WriteImage(mask, str(tmp_path / "masks" / "a.nii.gz"))
    (case,) = read_dataset(tmp_path).cases
    volume = read_plain(tmp_path / "images" / "a.nii.gz", Volume)
    assert not isinstance(case.truth, str | tuple)
    assert np.array_equal(case.truth.read(volume, ()), labels)


def test_folds_are_pooled_to_one_figure_over_all_images(tmp_path: Path) -> None:
    for fold, dsc in enumerate((0.8, 0.9)):
        cases = [{"file": f"{fold}.png", "patient": str(fold), "dsc": dsc, "hd95_px": None}]
        said = {"task": "liver_ct", "kind": "masks", "weights": {f"f{fold}": "a"}, "refused": [], "cases": cases}
        (tmp_path / str(fold)).mkdir()
        (tmp_path / str(fold) / "metrics.json").write_text(json.dumps(said))
    report = pool([tmp_path / "0", tmp_path / "1"])
    assert report.metrics["dsc"].value == pytest.approx(0.85)
    assert (report.patients, set(report.metrics)) == (2, {"dsc"})
    with pytest.raises(DicomNodeError, match="more than one fold"):
        pool([tmp_path / "0", tmp_path / "0"])
