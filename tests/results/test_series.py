"""Every way in which a series is acquired and stored: the segment lies where the patient has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.seg import segread
from numpy.typing import NDArray
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage, JPEGLSLossless, RLELossless

from dicom_node.errors import GeometryError
from dicom_node.findings import Segmentation
from dicom_node.imaging import read_volume
from dicom_node.results.encode import encode
from tests.results import builders, phantom
from tests.results.builders import request
from tests.results.phantom import Phantom

AXIAL, SAGITTAL, CORONAL = (1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1)
HALFWAY = 200.0  # between the block and what is around it, in Hounsfield units or as stored
ACQUIRED: dict[str, dict[str, Any]] = {
    "axial": {"orientation": AXIAL},
    "sagittal": {"orientation": SAGITTAL},
    "coronal": {"orientation": CORONAL},
    "oblique": {"orientation": builders.OBLIQUE},
    "reversed instance order": {"orientation": AXIAL, "reverse": True},
    "negated row direction": {"orientation": (-1, 0, 0, 0, 1, 0)},
    "negated column direction": {"orientation": (1, 0, 0, 0, -1, 0)},
    "feet first": {"orientation": AXIAL, "reverse": True, "PatientPosition": "FFS"},
    "feet first, turned in the scanner": {"orientation": (-1, 0, 0, 0, 1, 0), "PatientPosition": "FFS"},
    "prone": {"orientation": (-1, 0, 0, 0, -1, 0), "PatientPosition": "HFP"},
    "non-square pixels": {"orientation": AXIAL, "spacing": (0.6, 1.1)},
    "one slice": {"slices": 1},
    "1000 slices": {"slices": 1000, "shape": (8, 10), "step_mm": 0.5},
}
STORED: dict[str, Callable[..., None]] = {
    "big endian": phantom.big_endian,
    "signed": phantom.signed,
    "MONOCHROME1": phantom.dark_is_high,
    "run-length": phantom.compressed(RLELossless),
    "JPEG-LS": phantom.compressed(JPEGLSLossless),
}


def segmented(made: Phantom, out: Path, **encoding: Any) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Run a series through reading, thresholding and encoding; return what another reader finds, and where (LPS mm)."""
    labels = (read_volume(made.stack).array > HALFWAY).astype(np.uint8)
    found = Segmentation(labels, builders.organs((3, 20, 24)).segments[:1])
    (file,) = encode(request(made.stack, found, outputs=("SEG",), **encoding), out)
    volume = segread(file.path).get_volume(combine_segments=True)
    marked = np.argwhere(volume.array)  # (voxels, 3)
    return marked, (volume.affine @ [*marked.mean(axis=0), 1.0])[:3]


def proved_right(made: Phantom, out: Path) -> None:
    marked, centre = segmented(made, out)
    assert len(marked) == made.voxels > 4
    assert np.linalg.norm(centre - made.centre) < made.edge_mm / 2


@pytest.mark.parametrize("how", ACQUIRED)
def test_the_block_is_found_where_it_lies_however_it_was_acquired(how: str, tmp_path: Path) -> None:
    geometry = {"slices": 9, **ACQUIRED[how]}
    (tmp_path / "series").mkdir()
    proved_right(phantom.phantom(tmp_path / "series", **geometry), tmp_path / "out")


@pytest.mark.parametrize("how", STORED)
def test_the_block_is_found_where_it_lies_however_it_is_stored(how: str, tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    proved_right(phantom.phantom(tmp_path / "series", STORED[how], slices=9), tmp_path / "out")


@pytest.mark.parametrize("sop_class", [EnhancedCTImageStorage, EnhancedMRImageStorage])
def test_the_block_is_found_in_a_multi_frame_object(sop_class: Any, tmp_path: Path) -> None:
    proved_right(phantom.multi_frame(tmp_path / "series", sop_class), tmp_path / "out")


def test_the_block_lies_to_the_left_the_front_and_the_head(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    made = phantom.phantom(tmp_path / "series", slices=9, orientation=(-1, 0, 0, 0, -1, 0))
    volume = read_volume(made.stack)
    middle = (volume.affine @ [*(np.array(volume.array.shape) - 1) / 2, 1.0])[:3]
    assert np.array_equal(np.sign(segmented(made, tmp_path / "out")[1] - middle), [1, -1, 1])


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [({"shear_mm": 0.7}, "the gantry is tilted"), ({"step_mm": 0.0}, "repeats the position")],
)
def test_geometry_that_no_grid_holds_is_refused_by_name(geometry: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=reason):
        read_volume(builders.ct_series(tmp_path, **geometry))


def test_a_gap_in_the_slices_is_refused_by_name(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, slices=8)
    broken = builders.without(stack, 4)
    with pytest.raises(GeometryError, match=f"{stack.frames[5].sop_instance_uid}.*missing"):
        read_volume(broken)
