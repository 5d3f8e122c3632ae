from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, uid

from dicom_node import retired
from dicom_node.errors import GeometryError
from dicom_node.imaging import read_volume, split, stack_id
from tests.imaging.objects import (
    AXIAL,
    CORONAL,
    PATIENT,
    SAGITTAL,
    ct,
    ct_series,
    multi_frame_ct,
    only,
    radiograph,
    stacks,
)

TILTED = (1, 0, 0, 0, 0.7071, -0.7071)


def _instances(folder: Path, datasets: list[Dataset]) -> list[list[int]]:
    """Return each stack's positions in `datasets`, in the stack's order; first the stack of the first."""
    known = [str(dataset.SOPInstanceUID) for dataset in datasets]
    return sorted(
        [known.index(frame.sop_instance_uid) for frame in one.frames] for one in stacks(folder, datasets).stacks
    )


def test_frames_are_ordered_along_the_slice_normal_whatever_their_numbers(tmp_path: Path) -> None:
    series = [ct((0, 0, z), InstanceNumber=number) for number, z in enumerate([4, -2, 0, 2])]
    assert _instances(tmp_path, series) == [[1, 2, 3, 0]]


def test_the_same_frames_are_the_same_stack_in_any_order_of_arrival(tmp_path: Path) -> None:
    (first, again), series = (tmp_path / "first", tmp_path / "again"), ct_series(5)
    first.mkdir()
    again.mkdir()
    one = only(first, series)
    assert stack_id(only(again, [series[k] for k in (3, 0, 4, 2, 1)])) == stack_id(one)
    assert len(stack_id(one)) == 32


@pytest.mark.parametrize(
    ("orientation", "plane"), [(AXIAL, "axial"), (SAGITTAL, "sagittal"), (CORONAL, "coronal"), (TILTED, "oblique")]
)
def test_the_plane_is_that_of_the_nearest_patient_axis(
    tmp_path: Path, orientation: tuple[float, ...], plane: str
) -> None:
    assert only(tmp_path, [ct(ImageOrientationPatient=list(orientation))]).text("plane") == plane


def test_spacing_and_extent_are_measured_between_slices_not_read_from_thickness(tmp_path: Path) -> None:
    stack = only(tmp_path, ct_series(4, spacing_mm=2.5, SliceThickness=5))
    assert (stack.number("spacing_mm"), stack.number("extent_mm"), stack.number("slices")) == (2.5, 10.0, 4.0)


def test_a_single_slice_has_no_spacing(tmp_path: Path) -> None:
    stack = only(tmp_path, [ct()])
    assert (stack.text("kind"), stack.text("slices"), stack.number("spacing_mm")) == ("volume", "1.0", None)


@pytest.mark.parametrize(
    "attributes",
    [
        {"FrameOfReferenceUID": "1.2.99"},
        {"ImageOrientationPatient": list(CORONAL)},
        {"PixelSpacing": [0.9, 0.9]},
        {"ConvolutionKernel": "Br60"},
        {"ImageType": ["DERIVED", "PRIMARY", "MPR"]},
        {"EchoTime": 80},
        {"DiffusionBValue": 1000.0},
        {"ComplexImageComponent": "PHASE"},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_what_is_of_another_make_is_another_stack(tmp_path: Path, attributes: dict[str, Any]) -> None:
    series = [*ct_series(3), *ct_series(3, **attributes)]
    assert _instances(tmp_path, series) == [[0, 1, 2], [3, 4, 5]]


def test_orientations_within_a_degree_are_one_stack(tmp_path: Path) -> None:
    nearly = [1, 0, 0, 0, 0.99995, 0.01]
    assert len(_instances(tmp_path, [*ct_series(2), ct((0, 0, 4), ImageOrientationPatient=nearly)])) == 1


def test_a_frame_of_reference_of_its_own_for_every_slice_tells_nothing(tmp_path: Path) -> None:
    series = [ct((0, 0, z), FrameOfReferenceUID=f"1.2.{z + 1}") for z in range(4)]
    assert _instances(tmp_path, series) == [[0, 1, 2, 3]]


def test_a_localizer_inside_a_series_is_a_stack_and_no_volume(tmp_path: Path) -> None:
    scout = ct(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=list(CORONAL))
    kinds = {one.text("kind"): len(one.frames) for one in stacks(tmp_path, [scout, *ct_series(3)]).stacks}
    assert kinds == {"localizer": 1, "volume": 3}


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("AcquisitionNumber", (2, 3)),
        ("TemporalPositionIdentifier", (1, 2)),
        ("ContrastBolusAgentPhase", ("ARTERIAL", "PORTAL")),
        ("AcquisitionTime", ("101010", "101110")),
    ],
)
def test_two_phases_in_one_series_are_two_stacks(tmp_path: Path, keyword: str, values: tuple[Any, Any]) -> None:
    series = [*ct_series(3, **{keyword: values[0]}), *ct_series(3, **{keyword: values[1]})]
    assert _instances(tmp_path, series) == [[0, 1, 2], [3, 4, 5]]


def test_acquisitions_that_do_not_repeat_a_position_stay_one_stack(tmp_path: Path) -> None:
    series = [ct((0, 0, z), AcquisitionNumber=z) for z in range(4)]
    assert _instances(tmp_path, series) == [[0, 1, 2, 3]]


def test_a_time_that_differs_from_slice_to_slice_separates_phases(tmp_path: Path) -> None:
    series = [ct((0, 0, 2 * (k % 4)), AcquisitionTime=f"{101000 + k}") for k in range(8)]
    assert _instances(tmp_path, series) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_values_on_both_sides_of_a_rounding_boundary_are_one_stack(tmp_path: Path) -> None:
    times, spacings = (4.6049, 4.6051), (0.4994999, 0.4995001)
    series = [ct((0, 0, 2 * k), EchoTime=times[k % 2], PixelSpacing=[spacings[k % 2], 0.5]) for k in range(6)]
    assert _instances(tmp_path, series) == [[0, 1, 2, 3, 4, 5]]


def test_numbers_further_apart_than_rounding_are_two_stacks(tmp_path: Path) -> None:
    series = [*ct_series(3, EchoTime=4.6), *ct_series(3, EchoTime=4.62)]
    assert _instances(tmp_path, series) == [[0, 1, 2], [3, 4, 5]]


BY_VOLUME = [(volume, z) for volume in range(3) for z in range(4)]
BY_SLICE = [(volume, z) for z in range(4) for volume in range(3)]


@pytest.mark.parametrize("order", [BY_VOLUME, BY_SLICE], ids=["volume by volume", "slice by slice"])
def test_volumes_that_only_their_order_tells_apart_are_stacks(tmp_path: Path, order: list[tuple[int, int]]) -> None:
    series = [ct((0, 0, 2 * z), volume, InstanceNumber=number) for number, (volume, z) in enumerate(order, 1)]
    found = stacks(tmp_path, series).stacks
    assert [stack.text("slices") for stack in found] == ["4.0"] * 3
    assert [set(read_volume(stack).array.ravel() + 1024) for stack in found] == [{0.0}, {1.0}, {2.0}]


def test_a_scan_that_was_stopped_leaves_its_whole_volumes(tmp_path: Path) -> None:
    series = [ct((0, 0, 2 * (k % 4)), InstanceNumber=k + 1) for k in range(10)]
    assert _instances(tmp_path, series) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_frames_of_one_object_that_only_their_order_tells_apart_are_stacks(tmp_path: Path) -> None:
    positions = [(0, 0, z) for z in (4, 2, 0)]
    found = stacks(tmp_path, [multi_frame_ct([*positions, *positions])]).stacks
    assert [[frame.number for frame in one.frames] for one in found] == [[3, 2, 1], [6, 5, 4]]


@pytest.mark.parametrize(
    ("keyword", "values"),
    [("NominalPercentageOfCardiacPhase", (40, 75)), ("KVP", (80, 140)), ("TriggerTime", (30.2, 61.4))],
)
def test_phases_and_energies_that_follow_each_other_slice_by_slice_are_told_apart(
    tmp_path: Path, keyword: str, values: tuple[Any, Any]
) -> None:
    series = [ct((0, 0, 2 * z), **{keyword: value}) for z in range(3) for value in values]
    assert _instances(tmp_path, series) == [[0, 2, 4], [1, 3, 5]]


def test_a_time_of_each_slice_in_every_volume_does_not_split_by_slice(tmp_path: Path) -> None:
    series = [ct((0, 0, 2 * (k % 4)), InstanceNumber=k + 1, TriggerTime=40.0 * (k % 4)) for k in range(12)]
    assert _instances(tmp_path, series) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_where_repeats_cannot_be_told_apart_positions_are_counted_and_the_reason_says_so(tmp_path: Path) -> None:
    stack = only(tmp_path, [ct((0, 0, 2 * (k % 4)), InstanceNumber=1) for k in range(7)])
    assert (stack.text("slices"), stack.text("repeats"), stack.number("spacing_mm")) == ("4.0", "2.0", 2.0)
    assert stack.repetition == (
        "it repeats positions (7 frames at 4 positions), and nothing in the headers tells the repeats apart"
    )


def test_one_slice_that_came_twice_is_no_second_volume(tmp_path: Path) -> None:
    series = [*ct_series(4), ct((0, 0, 2), InstanceNumber=5)]
    assert only(tmp_path, series).text("repeats") == "2.0"


def test_phases_that_nothing_tells_apart_stay_together_and_are_refused(tmp_path: Path) -> None:
    series = [ct((0, 0, 2 * (k % 4)), AcquisitionTime=f"{101000 + k}") for k in range(7)]
    with pytest.raises(GeometryError, match="repeats the position"):
        read_volume(only(tmp_path, series))


def test_phases_of_unequal_length_are_told_apart(tmp_path: Path) -> None:
    series = [*ct_series(3, AcquisitionNumber=1), *ct_series(5, AcquisitionNumber=2)]
    assert _instances(tmp_path, series) == [[0, 1, 2], [3, 4, 5, 6, 7]]


def test_each_radiograph_is_a_stack_of_its_own(tmp_path: Path) -> None:
    views = [radiograph([[1, 2]], ViewPosition=view) for view in ("PA", "LL")]
    assert {one.text("ViewPosition") for one in stacks(tmp_path, views).stacks} == {"PA", "LL"}
    assert len(stacks(tmp_path, views).stacks) == 2


def test_frames_of_a_multi_frame_object_are_split_like_slices(tmp_path: Path) -> None:
    positions = [(0, 0, z) for z in (4, 2, 0)]
    found = stacks(tmp_path, [multi_frame_ct([*positions, *positions], times=[1, 1, 1, 2, 2, 2])]).stacks
    assert [[frame.number for frame in one.frames] for one in found] == [[3, 2, 1], [6, 5, 4]]
    assert found[0].number("spacing_mm") == 2.0


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({}, "volume"),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]}, "volume"),
        ({"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]}, "reformat"),
        ({"ImageType": ["DERIVED", "SECONDARY", "PROJECTION IMAGE", "MIP"]}, "projection"),
        ({"ImageType": ["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]}, "map"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "METABOLITE_MAP", "NONE"]}, "map"),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "DIFFUSION_ANISO"]}, "map"),
        ({"ImageType": ["DERIVED", "PRIMARY", "T2_STAR MAP"]}, "map"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}, "mosaic"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "VFRAME"]}, "mosaic"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "capture"),
        ({"SeriesDescription": "Topogram 0.6 T20s"}, "localizer"),
        ({"SeriesDescription": "PreMonitoring"}, "tracking"),
        ({"SeriesDescription": "CT_Abd_MIP_cor"}, "projection"),
        ({"SeriesDescription": "Iodine map"}, "map"),
        ({"SOPClassUID": uid.ComputedRadiographyImageStorage}, "radiograph"),
        ({"SOPClassUID": uid.SecondaryCaptureImageStorage, "SeriesDescription": "scout"}, "capture"),
        ({"SOPClassUID": uid.VLEndoscopicImageStorage}, "photo"),
        ({"SOPClassUID": uid.SegmentationStorage}, "non-image"),
        ({"SOPClassUID": uid.MRSpectroscopyStorage}, "non-image"),
        ({"SOPClassUID": retired.ULTRASOUND}, "photo"),
        ({"SOPClassUID": retired.XRAY_ANGIOGRAPHIC_BIPLANE}, "radiograph"),
        ({"SOPClassUID": retired.NUCLEAR_MEDICINE}, "volume"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.99", "BitsAllocated": None, "PixelData": None}, "non-image"),
        ({"SOPClassUID": uid.XRayRadiationDoseSRStorage, "Rows": None}, "non-image"),
        ({"SOPClassUID": uid.EncapsulatedPDFStorage, "Rows": None}, "non-image"),
    ],
)
def test_kind_is_read_from_sop_class_then_image_type_then_description(
    tmp_path: Path, attributes: dict[str, Any], kind: str
) -> None:
    assert only(tmp_path, [ct(**attributes)]).text("kind") == kind


def test_our_own_results_are_known_by_their_equipment(tmp_path: Path) -> None:
    equipment = Dataset()
    equipment.ManufacturerModelName = "dicom-node"
    assert only(tmp_path, [ct(ContributingEquipmentSequence=[equipment])]).text("ours") == "true"


def test_every_caller_of_a_stack_is_a_fact_and_an_object_sent_twice_counts_once(tmp_path: Path) -> None:
    ct().save_as(tmp_path / "one.dcm", enforce_file_format=True)
    path = str(tmp_path / "one.dcm")
    (stack,) = split("1.2.3", "1.2.3.1", [(path, "CT1"), (path, "PACS")]).stacks
    assert (stack.facts["caller"], len(stack.frames)) == (("CT1", "PACS"), 1)


def test_what_cannot_be_read_is_named_with_its_reason_and_the_rest_is_split(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no DICOM")
    ct().save_as(tmp_path / "one.dcm", enforce_file_format=True)
    paths = [str(tmp_path / name) for name in ("note.txt", "one.dcm", "gone.dcm")]
    found = split("1.2.3", "1.2.3.1", [(path, "CT1") for path in paths])
    assert len(found.stacks) == 1
    assert found.unreadable == (
        (paths[0], "not a DICOM file"),
        (paths[2], "its header cannot be read: No such file or directory"),
    )


def test_a_malformed_number_does_not_lose_the_object(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    ct(SliceThickness="12.345").save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes().replace(b"12.345", b"12,3 5"))
    (stack,) = split("1.2.3", "1.2.3.1", [(str(path), "")]).stacks
    assert stack.text("SliceThickness") == "12,3 5"


def test_a_header_that_claims_endless_frames_is_not_believed(tmp_path: Path) -> None:
    found = stacks(tmp_path, [ct(NumberOfFrames=2_000_000_000)])
    assert not found.stacks
    assert "2000000000 frames" in found.unreadable[0][1]


def test_a_header_stripped_of_all_it_may_lack_is_still_a_stack(tmp_path: Path) -> None:
    bare = ct()
    for keyword in [*PATIENT, "StudyInstanceUID", "ImageType", "Modality", "FrameOfReferenceUID", "PixelSpacing"]:
        delattr(bare, keyword)
    stack = only(tmp_path, [bare])
    assert (stack.study_uid, stack.text("kind")) == ("1.2.3", "volume")


@pytest.mark.parametrize(
    ("charset", "description", "seen"),
    [
        ("ISO_IR 192", "복부 CT", "복부 CT"),
        (["", "ISO 2022 IR 149"], "복부", "복부"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "腹部", "腹部"),
        ("ISO_IR 100", "Schädel", "Schädel"),
    ],
)
def test_descriptions_are_read_in_their_own_script(tmp_path: Path, charset: Any, description: str, seen: str) -> None:
    assert (
        only(tmp_path, [ct(SpecificCharacterSet=charset, SeriesDescription=description)]).text("SeriesDescription")
        == seen
    )


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom says so, too
@pytest.mark.parametrize("charset", [b"ISO_IR 999", b"ISO_IR 192"])
def test_a_wrong_character_set_does_not_lose_the_object(tmp_path: Path, charset: bytes) -> None:
    path = tmp_path / "one.dcm"
    ct(SpecificCharacterSet="ISO_IR 100", SeriesDescription="Schädel").save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", charset))
    (stack,) = split("1.2.3", "1.2.3.1", [(str(path), "")]).stacks
    assert stack.text("SeriesDescription").startswith("Sch")


def test_slices_that_are_all_turned_otherwise_are_each_a_stack(tmp_path: Path) -> None:
    turns = np.radians(np.arange(180) * 2)
    slices = [
        ct(InstanceNumber=number, ImageOrientationPatient=[1, 0, 0, 0, float(np.cos(turn)), float(np.sin(turn))])
        for number, turn in enumerate(turns)
    ]
    assert len(stacks(tmp_path, slices).stacks) == 180
