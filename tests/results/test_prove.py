from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import FileDataset, dcmread
from pydicom.pixels.utils import pack_bits

from dicom_node.errors import ProofError
from dicom_node.findings import Code, Measurement, Segment, Segmentation
from dicom_node.results.encode import encode
from dicom_node.results.prove import Proof, prove
from dicom_node.results.sources import read_sources
from tests.results import builders
from tests.results.builders import request


def mirror(made: FileDataset) -> None:
    flipped = made.pixel_array[..., ::-1]
    made.PixelData = pack_bits(np.ascontiguousarray(flipped).ravel())


def shift_a_slice(made: FileDataset) -> None:
    for groups in made.PerFrameFunctionalGroupsSequence:
        groups.PlanePositionSequence[0].ImagePositionPatient[2] += 2.5


def shift_a_little(made: FileDataset) -> None:
    for groups in made.PerFrameFunctionalGroupsSequence:
        groups.PlanePositionSequence[0].ImagePositionPatient[0] += 0.5


def turn_the_rows(made: FileDataset) -> None:
    made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]


def stretch(made: FileDataset) -> None:
    made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = 2.6


def swap_names(made: FileDataset) -> None:
    first, second = made.SegmentSequence[1:3]
    first.SegmentLabel, second.SegmentLabel = second.SegmentLabel, first.SegmentLabel


def swap_sides(made: FileDataset) -> None:
    first, second = (item.SegmentedPropertyTypeCodeSequence[0] for item in made.SegmentSequence[1:3])
    keyword = "SegmentedPropertyTypeModifierCodeSequence"
    first[keyword], second[keyword] = second[keyword], first[keyword]


def swap_numbers(made: FileDataset) -> None:
    for groups in made.PerFrameFunctionalGroupsSequence:
        item = groups.SegmentIdentificationSequence[0]
        item.ReferencedSegmentNumber = {1: 1, 2: 3, 3: 2}[item.ReferencedSegmentNumber]


def cite_another(made: FileDataset) -> None:
    source = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    source.ReferencedSOPInstanceUID = "1.2.3"


def leave_the_space(made: FileDataset) -> None:
    made.FrameOfReferenceUID = "1.2.3"


def rename_the_patient(made: FileDataset) -> None:
    made.PatientName = "Falsus^Patiens"


TAMPERED = {
    mirror: "Dice",
    shift_a_slice: "Dice|mm from the nearest|cites",
    shift_a_little: "0.500 mm from the nearest source frame",
    turn_the_rows: "its centroid lies",
    stretch: "a voxel is",
    swap_names: "segments are",
    swap_sides: "segments are",
    swap_numbers: "Dice",
    cite_another: "cites",
    leave_the_space: "frame of reference",
    rename_the_patient: "differs from its source in PatientName",
}


@pytest.mark.parametrize(("tamper", "problem"), TAMPERED.items(), ids=lambda one: getattr(one, "__name__", ""))
@pytest.mark.alters
def test_an_altered_seg_is_caught(tamper: Callable[[FileDataset], None], problem: str, tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    found = builders.organs((6, 20, 24))
    wanted = request(stack, found)
    file = encode(wanted, tmp_path / "out")[0]
    proof = Proof(wanted, read_sources(stack), found)
    prove(file.path, proof)
    made = dcmread(file.path)
    tamper(made)
    made.save_as(file.path)
    with pytest.raises(ProofError, match=problem) as caught:
        prove(file.path, proof)
    assert "Falsus" not in str(caught.value)


def test_a_left_organ_on_the_right_is_caught_and_nothing_is_kept(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    with pytest.raises(ProofError, match="left kidney does not lie to the patient's left"):
        encode(request(stack, builders.organs((6, 20, 24), leftward=False)), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_negated_rows_turn_the_sides(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, orientation=builders.NEGATED)
    assert encode(request(stack, builders.organs((6, 20, 24), leftward=False)), tmp_path / "out")


def test_sides_of_a_radiograph_follow_patient_orientation(tmp_path: Path) -> None:
    assert encode(request(builders.radiograph(tmp_path), builders.sided_lungs()), tmp_path / "out")


@pytest.mark.parametrize(
    ("orientation", "problem"),
    [(["R", "F"], "left lung does not lie"), (None, "does not say where"), (["A", "F"], "does not say where")],
)
def test_sides_that_patient_orientation_denies_are_blocked(
    orientation: list[str] | None, problem: str, tmp_path: Path
) -> None:
    stack = builders.radiograph(tmp_path, PatientOrientation=orientation)
    with pytest.raises(ProofError, match=problem):
        encode(request(stack, builders.sided_lungs()), tmp_path / "out")


@pytest.mark.alters
def test_a_mirrored_seg_of_a_radiograph_is_caught(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    wanted = request(stack, builders.lungs())
    file = encode(wanted, tmp_path / "out")[0]
    made = dcmread(file.path)
    mirror(made)
    made.save_as(file.path)
    with pytest.raises(ProofError, match="Dice"):
        prove(file.path, Proof(wanted, read_sources(stack), builders.lungs()))


def test_pixels_altered_outside_the_boxes_block_the_image(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    erased = builders.erased(stack)
    erased.stored[20, 20] += 1
    with pytest.raises(ProofError, match="1 pixels outside the boxes"):
        encode(request(stack, erased), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.alters
def test_an_altered_window_is_caught(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    wanted = request(stack, builders.erased(stack))
    file = encode(wanted, tmp_path / "out")[0]
    made = dcmread(file.path)
    made.PhotometricInterpretation = "MONOCHROME2"
    made.save_as(file.path)
    with pytest.raises(ProofError, match="PhotometricInterpretation is not the source's"):
        prove(file.path, Proof(wanted, read_sources(stack), builders.erased(stack)))


def test_a_report_that_lost_an_answer_is_caught(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    file = encode(request(stack, builders.marks()), tmp_path / "out")[-1]
    with pytest.raises(ProofError, match="lacks the answer to contrast"):
        prove(file.path, Proof(request(stack, builders.contrast()), read_sources(stack)))


def test_a_report_that_lost_a_box_is_caught(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    file = encode(request(stack), tmp_path / "out")[-1]
    with pytest.raises(ProofError, match="lacks the box L mark"):
        prove(file.path, Proof(request(stack, builders.marks()), read_sources(stack)))


def test_a_report_that_lost_a_number_is_caught(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    file = encode(request(stack), tmp_path / "out")[-1]
    area = Measurement(Code("42798000", "SCT", "Area"), 3.25, Code("cm2", "UCUM", "square centimeter"))
    with pytest.raises(ProofError, match="lacks the Area of the image"):
        prove(file.path, Proof(request(stack, area), read_sources(stack)))


def test_a_lone_organ_on_the_other_side_of_the_images_middle_is_caught(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    both, swapped = (builders.organs((6, 20, 24), leftward=leftward) for leftward in (True, False))
    for found in (both, swapped):
        found.labels[found.labels == 3] = 0
    assert encode(request(stack, both), tmp_path / "out")
    with pytest.raises(ProofError, match="left kidney does not lie to the patient's left of the middle"):
        encode(request(stack, swapped), tmp_path / "swapped")
    assert list((tmp_path / "swapped").iterdir()) == []


def test_a_lone_lung_is_held_against_patient_orientation(tmp_path: Path) -> None:
    lungs = builders.sided_lungs()
    left = Segmentation(np.where(lungs.labels == 2, 2, 0).astype(np.uint8), lungs.segments)
    for orientation, refused in ((["L", "F"], False), (["R", "F"], True)):
        (tmp_path / orientation[0]).mkdir()
        stack = builders.radiograph(tmp_path / orientation[0], PatientOrientation=orientation)
        with pytest.raises(ProofError, match="left lung does not lie") if refused else nullcontext():
            encode(request(stack, left), tmp_path / orientation[0] / "out")


def test_a_lone_tumour_is_held_against_the_middle_between_both_kidneys(tmp_path: Path) -> None:
    stack, found = builders.ct_series(tmp_path), builders.organs((6, 20, 24))
    found.labels[2, 11, 8:10] = 4  # left of the kidneys' middle, column 10.25, and of the images', 11.5: the right side
    tumour = Segment(4, "right tumour", builders.ORGAN, builders.LUNG, (9, 9, 9), builders.RIGHT)
    assert encode(request(stack, Segmentation(found.labels, (*found.segments, tumour))), tmp_path / "out")
    wrong = replace(tumour, name="left tumour", laterality=builders.LEFT)
    with pytest.raises(ProofError, match="left tumour does not lie to the patient's left of the middle"):
        encode(request(stack, Segmentation(found.labels, (*found.segments, wrong))), tmp_path / "wrong")


@pytest.mark.parametrize("outputs", [("SEG",), ("SR",), ("SC",), ("PR",)])
def test_a_mark_that_contradicts_the_header_blocks_every_object_that_names_sides(
    outputs: tuple[str, ...], tmp_path: Path
) -> None:
    stack = builders.radiograph(tmp_path)
    doubted = {"doubts": ("mark and header disagree: L",), "outputs": outputs}
    assert encode(request(stack, builders.lungs(), **doubted), tmp_path / "unsided")
    with pytest.raises(ProofError, match="names left and right, but mark and header disagree: L"):
        encode(request(stack, builders.sided_lungs(), **doubted), tmp_path / "out")
    assert not (tmp_path / "out").exists()
