from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dicom_node.images import Volume
from dicom_node.pipeline import (
    Classification,
    Found,
    Measurement,
    Model,
    Pipeline,
    RefusalError,
    Segmentation,
    WeightsError,
)
from pipelines.black_blood_mr import BlackBloodMR, BlackBloodSettings, black_blood_stage
from pipelines.brain_mr import BrainMR, BySequence, brain_stage, sequence_of
from pipelines.liver_ct import LiverCT, LiverSettings, liver_stage
from pipelines.view_cxr import ViewCXR, judged, view_stage
from tests.pipelines.support import chest, radiograph, stack

CODED = {"segment_code": "52988006", "segment_scheme": "SCT", "segment_meaning": "Lesion"}
CT: dict[str, Any] = {"Modality": "CT", "kind": "volume", "plane": "axial"}
T1: dict[str, Any] = {
    "Modality": "MR",
    "SeriesDescription": "t1_mprage_sag",
    "MRAcquisitionType": "3D",
    "ScanningSequence": ("GR", "IR"),
    "EchoTime": 2.9,
    "RepetitionTime": 1900.0,
    "InversionTime": 900.0,
    "slices": 160.0,
}
MRA: dict[str, Any] = {**T1, "SeriesDescription": "TOF_3D", "ScanningSequence": "GR", "RepetitionTime": 22.0}


def ellipsoid(inside: float, outside: float, steps: tuple[float, float, float], **facts: Any) -> Volume:
    """A bright ellipsoid off the middle; a negative step makes that axis grow to the feet, front or right."""
    z, y, x = np.indices((40, 64, 64))
    mask = ((z - 16) / 10) ** 2 + ((y - 36) / 18) ** 2 + ((x - 24) / 15) ** 2 <= 1
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = *steps, 1
    return Volume(np.where(mask, inside, outside).astype(np.float32), affine, "1.3", stack(40, **facts))


def two_classes(threshold: float) -> Any:
    def network(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        bright = (batch[..., 0] > threshold).astype(np.float32)
        return np.stack([1 - bright, bright], -1)

    return network


def proved(found: Found, volume: Volume, share: float) -> None:
    """The mask is the ellipsoid on its own voxels, and the volume is the mask's."""
    first = found[0]
    assert isinstance(first, Segmentation)
    truth, mask = volume.array > volume.array.min(), first.labels == 1
    assert 2 * (truth & mask).sum() / (truth.sum() + mask.sum()) > share
    measured = next(one for one in found if isinstance(one, Measurement) and one.unit.value == "mL")
    assert measured.value == pytest.approx(mask.sum() * np.prod(volume.spacing_mm) / 1000, rel=0.01)


STEPS = [(3.0, 1.0, 0.5), (-3.0, -1.0, 0.5), (3.0, 1.0, -0.5)]


@pytest.mark.parametrize("steps", STEPS)
def test_the_liver_comes_back_on_its_voxels(steps: tuple[float, float, float]) -> None:
    volume = ellipsoid(150, -50, steps)
    found = Model([liver_stage(two_classes(1.5), LiverSettings())])(volume)
    proved(found, volume, 0.93)
    mean = next(one for one in found if isinstance(one, Measurement) and one.unit.value == "[hnsf'U]")
    labels = found[0].labels  # type: ignore[union-attr]
    assert mean.value == pytest.approx(float(volume.array[labels == 1].mean()), rel=0.01)


@pytest.mark.parametrize("steps", STEPS)
def test_the_black_blood_segment_comes_back_on_its_voxels(steps: tuple[float, float, float]) -> None:
    volume = ellipsoid(20, -100, steps)
    proved(Model([black_blood_stage(two_classes(0.5), BlackBloodSettings(**CODED))])(volume), volume, 0.85)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(("kind", "facts"), [("t1", T1), ("mra", MRA)])
def test_the_brain_comes_back_on_its_voxels(
    steps: tuple[float, float, float], kind: Any, facts: dict[str, Any]
) -> None:
    volume = ellipsoid(200, 0, steps, **facts)
    proved(
        Model([BySequence({kind: brain_stage(lambda slices: slices - np.float32(0.4), kind)})])(volume), volume, 0.93
    )


def test_a_sequence_without_weights_is_named() -> None:
    with pytest.raises(WeightsError, match="no weights for t1"):
        Model([BySequence({"mra": brain_stage(lambda slices: slices, "mra")})])(ellipsoid(1, 0, STEPS[0], **T1))
    with pytest.raises(RefusalError, match="neither"):
        Model([BySequence({})])(ellipsoid(1, 0, STEPS[0], Modality="MR"))


@pytest.mark.parametrize(
    ("facts", "sequence"),
    [
        (T1, "t1"),
        (MRA, "mra"),
        ({**MRA, "SeriesDescription": "T1 TOF"}, "mra"),
        ({**T1, "SeriesDescription": "t1_space"}, None),
        ({**T1, "EchoTime": 12.0}, None),
        ({**T1, "MRAcquisitionType": "2D"}, None),
        ({**MRA, "SeriesDescription": "MRA neck"}, None),
    ],
)
def test_the_header_names_the_sequence(facts: dict[str, Any], sequence: str | None) -> None:
    assert sequence_of(stack(**facts))[0] == sequence


GE_MPRAGE: dict[str, Any] = {
    **T1,
    "SeriesDescription": "3D Ax T1 MP-RAGE_R22",
    "ScanningSequence": ("RM", "IR"),
    "EchoTime": 3.172,
    "RepetitionTime": 2217.66,
    "InversionTime": 1000.0,
}
PHILIPS_TFE: dict[str, Any] = {
    **T1,
    "SeriesDescription": "AnatBrain_T1W3D",
    "ScanningSequence": "GR",
    "EchoTime": 4.6,
    "RepetitionTime": 8.0286,
    "InversionTime": (),
}
SIEMENS_XA: dict[str, Any] = {
    **T1,
    "SeriesDescription": "anat-T1w_acq-tfl",
    "ScanningSequence": (),
    "EchoPulseSequence": "GRADIENT",
    "AcquisitionContrast": "UNKNOWN",
}
UIH_FSP: dict[str, Any] = {**T1, "SeriesDescription": "t1_gre_fsp_3d_sag", "EchoTime": 3.1, "InversionTime": 750.0}
SIEMENS_TOF: dict[str, Any] = {
    **MRA,
    "SeriesDescription": "3D multi-slab",
    "SequenceName": "*fl3d1r_t70",
    "EchoTime": 3.43,
    "RepetitionTime": 21.0,
}


@pytest.mark.parametrize(
    ("facts", "sequence"),
    [
        (GE_MPRAGE, "t1"),
        (PHILIPS_TFE, "t1"),
        (SIEMENS_XA, "t1"),
        (UIH_FSP, "t1"),
        (SIEMENS_TOF, "mra"),
        ({**SIEMENS_TOF, "SequenceName": "*swi3d1r"}, None),
        ({**GE_MPRAGE, "SeriesDescription": "3DB0Map", "RepetitionTime": 5.0}, None),
        ({**GE_MPRAGE, "ScanningSequence": ("RM", "SE")}, None),
    ],
)
def test_the_sequence_is_known_by_what_each_manufacturer_writes(facts: dict[str, Any], sequence: str | None) -> None:
    assert sequence_of(stack(**facts))[0] == sequence


@pytest.mark.parametrize(
    ("pipeline", "facts", "reason"),
    [
        (LiverCT(), {**CT, "plane": "coronal"}, "plane"),
        (LiverCT(), {**CT, "spacing_mm": 7.0}, "at most 5 mm"),
        (LiverCT(), {**CT, "spacing_mm": 5.0, "extent_mm": 60.0}, "at least 80 mm"),
        (BrainMR(), {**T1, "slices": 20.0}, "at least 60"),
        (BrainMR(), {**T1, "ImageType": ("DERIVED", "MPR")}, "MPR"),
        (BrainMR(), {**T1, "ComplexImageComponent": "PHASE"}, "PHASE, not MAGNITUDE"),
        (BrainMR(), {**T1, "slices": 80.0, "repeats": 2.0}, "it repeats positions"),
        (BrainMR(), {"Modality": "CT"}, "Modality"),
        (BlackBloodMR(), {"Modality": "MR"}, "segment_code, segment_scheme, segment_meaning"),
        (BlackBloodMR(CODED), {"Modality": "MR", "slices": 20.0}, "at least 32"),
        (ViewCXR(), {"Modality": "CT"}, "Modality"),
    ],
)
def test_what_it_should_not_see_is_refused(pipeline: Pipeline, facts: dict[str, Any], reason: str) -> None:
    assert reason in (pipeline.refuse(stack(**facts)) or "")


def test_what_it_should_see_is_not_refused() -> None:
    assert LiverCT().refuse(stack(**CT, spacing_mm=5.0, extent_mm=200.0)) is None
    assert BrainMR().refuse(stack(**T1)) is None
    assert BlackBloodMR(CODED).refuse(stack(Modality="MR", slices=100.0)) is None


@pytest.mark.parametrize(
    ("probabilities", "position", "value"),
    [
        ((0.9, 0.05, 0.05), "PA", "frontal"),
        ((0.05, 0.9, 0.05), "LL", "lateral"),
        ((0.05, 0.05, 0.9), "AP", "frontal"),
        ((0.05, 0.05, 0.9), "", "other"),
        ((0.4, 0.3, 0.3), "PA", "uncertain"),
    ],
)
def test_the_view(probabilities: tuple[float, ...], position: str, value: str) -> None:
    network = lambda _: np.array([probabilities], np.float32)  # noqa: E731
    found = Model([view_stage(network, ViewCXR().settings)])(radiograph(chest(), ViewPosition=position))[0]
    assert isinstance(found, Classification)
    assert found.value == value
    assert judged(np.array(probabilities, np.float32), stack(ViewPosition=position), 0.6)[0] == value


@pytest.mark.parametrize(("position", "claim"), [("PA", "frontal"), ("AP", "frontal"), ("RL", "lateral"), ("LLD", "")])
def test_the_headers_view(position: str, claim: str) -> None:
    assert ViewCXR().claim(stack(ViewPosition=position))[0] == claim
