"""The images and findings whose results are opened: every pipeline's, and some that viewers may stumble over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node import shipped
from dicom_node.findings import Measurement, Segmentation
from dicom_node.imaging import read_radiograph, split
from dicom_node.weights_store import read_catalog
from orthanc_test.real_data import REAL_DATA, wrapped_radiographs
from pipelines import lung_cxr, polyp_es
from pipelines.volumetry import NO_UNIT
from tests.results import builders
from tests.results.nine import PIPELINES, Case, lung, polyp

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


def measured_lungs(folder: Path) -> Case:
    """Return both lungs of a radiograph with their areas and the ratio of these."""
    stack, (found,) = lung(folder)
    assert isinstance(found, Segmentation)
    right, left = found.segments
    return stack, (found, *lung_cxr.measured(found.labels[0], (right, left), (0.2, 0.2)))


def measured_polyps(folder: Path) -> Case:
    """Return two polyps of an endoscopic picture with their probability and share of the picture."""
    stack, (found,) = polyp(folder)
    assert isinstance(found, Segmentation)
    measured = {polyp_es.PROBABILITY: 0.87, polyp_es.AREA_SHARE: float((found.labels > 0).mean())}
    numbers = [Measurement(concept, value, NO_UNIT, "polyp", 0) for concept, value in measured.items()]
    return stack, (found, *numbers)


def real_radiograph(folder: Path) -> Case:
    """Return what the shipped network finds in a published chest radiograph, which is not in the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip("needs the development data cxr/, which is not part of the repository")
    (path,) = wrapped_radiographs(folder / "radiographs", 1)
    header = dcmread(path, stop_before_pixels=True)
    (stack,) = split(str(header.StudyInstanceUID), str(header.SeriesInstanceUID), [(str(path), "")]).stacks
    model = lung_cxr.LungCXR().load({"": read_catalog(shipped.WEIGHTS)["lung_cxr_small"]}, "cpu")
    return stack, tuple(model(read_radiograph(stack)))


CASES: dict[str, Callable[[Path], Case]] = {
    **{name: case for name, (case, _) in PIPELINES.items()},
    "organs": organs,
    "downwards": downwards,
    "likely organs": likely_organs,
    "measured lungs": measured_lungs,
    "measured polyps": measured_polyps,
    "real radiograph": real_radiograph,
}
