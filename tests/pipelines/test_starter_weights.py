"""The shipped weights on real images that they were not trained on; the figures are in the catalogue."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dicom_node.findings import Segmentation
from dicom_node.images import Volume
from dicom_node.imaging import read_plain
from dicom_node.library import load
from tests.pipelines.support import shared_data


def marked(pipeline: str, path: Path) -> NDArray[np.uint8]:
    torch.set_num_threads(1)
    found = load(pipeline).predict(path).findings
    labels: NDArray[np.uint8] = found.of(Segmentation)[0].labels
    return labels


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return 2 * int((found & truth).sum()) / int(found.sum() + truth.sum())


@pytest.mark.parametrize(
    ("pipeline", "image", "mask", "value", "least"),
    [
        ("polyp_es", "polyp/images/polyp_6e8c4aac.jpg", "polyp/masks/polyp_6e8c4aac.png", 255, 0.8),
        ("liver_ct", "ct_liver/images/10010_114.png", "ct_liver/labels/10010_114.png", 1, 0.9),
    ],
)
def test_what_is_there_is_marked(pipeline: str, image: str, mask: str, value: int, least: float) -> None:
    data = shared_data(".")
    truth = cv2.imread(str(data / mask), cv2.IMREAD_GRAYSCALE)
    assert dice(marked(pipeline, data / image)[0] > 0, np.asarray(truth) >= min(value, 128)) > least


def test_the_brain_of_an_average_head_is_marked() -> None:
    folder = shared_data("brain_t1_mni")
    truth = read_plain(folder / "MNI152_T1_2mm_Brain_Mask.nii.gz", Volume)
    assert isinstance(truth, Volume)
    assert dice(marked("brain_mr", folder / "MNI152_T1_2mm.nii.gz") > 0, truth.array > 0) > 0.95
