"""The images and findings whose results are opened: every pipeline's, and some that viewers may stumble over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.findings import Segmentation
from dicom_node.imaging import read_radiograph, split
from dicom_node.library import DEFAULTS
from dicom_node.weights_store import read_catalog
from orthanc_test.real_data import REAL_DATA, wrapped_radiographs
from pipelines.lung_cxr import LungCXR
from tests.results import builders
from tests.results.nine import PIPELINES, Case

_SHAPE = 6, 40, 36  # large enough for JPEG 2000


def organs(folder: Path) -> Case:
    """Return a liver and two kidneys on slices that every codec takes."""
    return builders.ct_series(folder, shape=_SHAPE[1:]), (builders.organs(_SHAPE),)


def downwards(folder: Path) -> Case:
    """Return the same on slices that are numbered from the head to the feet."""
    return builders.ct_series(folder, shape=_SHAPE[1:], reverse=True), (builders.organs(_SHAPE),)


def likely_organs(folder: Path) -> Case:
    """Return the same, with a probability for each voxel that is neither 0 nor 1."""
    stack, (found,) = organs(folder)
    assert isinstance(found, Segmentation)
    layers = np.stack([np.where(found.labels == segment.label, 200, 20) for segment in found.segments])
    return stack, (Segmentation(found.labels, found.segments, layers.astype(np.uint8)),)


def real_radiograph(folder: Path) -> Case:
    """Return what the shipped network finds in a published chest radiograph, which is not in the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip("needs the development data cxr/, which is not part of the repository")
    (path,) = wrapped_radiographs(folder / "radiographs", 1)
    header = dcmread(path, stop_before_pixels=True)
    (stack,) = split(str(header.StudyInstanceUID), str(header.SeriesInstanceUID), [(str(path), "")]).stacks
    model = LungCXR().load({"": read_catalog(DEFAULTS.parent / "weights")["lung_cxr_small"]}, "cpu")
    return stack, tuple(model(read_radiograph(stack)))


CASES: dict[str, Callable[[Path], Case]] = {
    **{name: case for name, (case, _) in PIPELINES.items()},
    "organs": organs,
    "downwards": downwards,
    "likely organs": likely_organs,
    "real radiograph": real_radiograph,
}
