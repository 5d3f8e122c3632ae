from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.sr import srread
from pydicom import Dataset, FileDataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from dicom_node.config import Encoding
from dicom_node.errors import ProofError
from dicom_node.findings import Code, Detection, Measurement, Remark, Segment, Segmentation
from dicom_node.images import Stack
from dicom_node.results.encode import encode
from tests.results import builders
from tests.results.builders import measurement_groups as groups
from tests.results.builders import only, request
from tests.support.tid1500 import lacks

VOLUME = Code("118565006", "SCT", "Volume")
AREA = Code("42798000", "SCT", "Area")
CM3, CM2 = Code("cm3", "UCUM", "cubic centimeter"), Code("cm2", "UCUM", "square centimeter")


def report(stack: Stack, tmp_path: Path, *found: Any, **changes: Any) -> FileDataset:
    return only(encode(request(stack, *found, **changes), tmp_path / "out"), "SR")


def ended(made: Dataset) -> Dataset:
    """Return the container that says how the run ended."""
    found: list[Dataset] = [one for one in made.ContentSequence if _name(one) == "C0034375"]
    return found[0]


def _name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def texts(group: Dataset) -> list[str]:
    return [
        item.TextValue for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeMeaning == "Comment"
    ]


def numbers(group: Dataset) -> list[float]:
    return [
        float(item.MeasuredValueSequence[0].NumericValue) for item in group.ContentSequence if item.ValueType == "NUM"
    ]


def tracked(group: Dataset) -> str:
    (found,) = [item.UID for item in group.ContentSequence if _name(item) == "112040"]
    return str(found)


def one_lung() -> Segmentation:
    """Return one lung of a radiograph in one part."""
    both = builders.lungs()
    both.labels[0, :, 18:] = 0
    return dataclasses.replace(both, segments=(dataclasses.replace(both.segments[0], name="lung"),))


def answers(group: Dataset) -> dict[str, str]:
    return {
        item.ConceptNameCodeSequence[0].CodeMeaning: item.ConceptCodeSequence[0].CodeMeaning
        for item in group.ContentSequence
        if item.ValueType == "CODE"
    }


@pytest.fixture
def ct(tmp_path: Path) -> Stack:
    return builders.ct_series(tmp_path)


def test_a_report_is_complete_preliminary_and_unverified(ct: Stack, tmp_path: Path) -> None:
    made = report(ct, tmp_path, builders.contrast())
    assert (made.CompletionFlag, made.PreliminaryFlag, made.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )
    assert made.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    series = made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert len(series.ReferencedSOPSequence) == 6


def test_an_answer_stands_with_its_probability_and_the_headers_claim(ct: Stack, tmp_path: Path) -> None:
    (group,) = groups(report(ct, tmp_path, builders.contrast()))
    (number,) = [item.MeasuredValueSequence[0] for item in group.ContentSequence if item.ValueType == "NUM"]
    assert answers(group)["Contrast medium"] == "Yes"
    assert (number.NumericValue, number.MeasurementUnitsCodeSequence[0].CodeValue) == (0.98, "1")
    assert texts(group) == ["9 of 9 slices voted", "The header says: ContrastBolusAgent"]
    assert sum(item.ValueType == "IMAGE" for item in group.ContentSequence) == 6


def test_a_volume_is_of_the_segment_that_the_seg_tracks(ct: Stack, tmp_path: Path) -> None:
    volume = Measurement(VOLUME, 12.5, CM3, "left kidney")
    files = encode(request(ct, builders.organs((6, 20, 24)), volume), tmp_path / "out")
    content: Any = srread(files[-1].path).content
    tracked = {str(item.TrackingUID): item.SegmentNumber for item in only(files, "SEG").SegmentSequence}
    found = {one.tracking_uid: one for one in content.get_volumetric_roi_measurement_groups()}
    assert set(found) == set(tracked)
    measured = {tracked[uid]: [one.value for one in group.get_measurements()] for uid, group in found.items()}
    assert measured == {1: [], 2: [12.5], 3: []}


def test_a_side_is_the_modifier_of_the_finding_site(ct: Stack, tmp_path: Path) -> None:
    made = report(ct, tmp_path, builders.organs((6, 20, 24)))
    sides = [
        item.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning
        for group in groups(made)
        for item in group.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Finding Site"
    ]
    assert sides == ["Left", "Right"]


def test_an_area_of_a_radiograph_stands_with_its_outline(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    made = report(stack, tmp_path, one_lung(), Measurement(AREA, 310.0, CM2, "lung"))
    content: Any = srread(str(made.filename)).content
    (group,) = content.get_planar_roi_measurement_groups()
    assert (group.reference_type.meaning, group.roi.graphic_type.name) == ("Image Region", "POLYLINE")
    assert [one.value for one in group.get_measurements()] == [310.0]
    columns, rows = np.array(group.roi.value).T
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (4.25, 13.75, 5.25, 29.75)


def test_each_part_of_a_segment_is_outlined_and_numbers_stand_with_the_largest(tmp_path: Path) -> None:
    area = Measurement(AREA, 310.0, CM2, "lungs")
    large, small = groups(report(builders.radiograph(tmp_path), tmp_path, builders.lungs(), area))
    assert [numbers(one) for one in (large, small)] == [[310.0], []]
    assert [texts(one) for one in (large, small)] == [["The numbers are of all 2 parts together"], []]
    assert tracked(large) != tracked(small)


def test_a_single_part_is_tracked_as_in_the_seg(tmp_path: Path) -> None:
    files = encode(request(builders.radiograph(tmp_path), one_lung()), tmp_path / "out")
    (group,) = groups(only(files, "SR"))
    assert tracked(group) == only(files, "SEG").SegmentSequence[0].TrackingUID


def test_holes_that_an_outline_encloses_are_said(tmp_path: Path) -> None:
    lung = one_lung()
    lung.labels[0, 10:12, 8:10] = 0
    (group,) = groups(report(builders.radiograph(tmp_path), tmp_path, lung))
    assert texts(group) == ["The outline encloses 1 hole(s) that do not belong to the finding"]


def test_no_more_than_the_largest_parts_of_a_segment_are_outlined(tmp_path: Path) -> None:
    specks = builders.lungs()
    specks.labels[:] = 0
    specks.labels[0, ::4, ::4] = 1
    made = groups(report(builders.radiograph(tmp_path), tmp_path, specks))
    assert len(made) == 20
    assert texts(made[0]) == ["The 20 largest of 90 parts are outlined"]


def test_a_number_of_the_whole_image_stands_with_its_border(tmp_path: Path) -> None:
    share = Measurement(AREA, 3.0, CM2)
    (group,) = groups(report(builders.radiograph(tmp_path), tmp_path, share))
    (region,) = [item for item in group.ContentSequence if item.ValueType == "SCOORD"]
    assert (list(region.GraphicData), numbers(group)) == ([0, 0, 36, 0, 36, 40, 0, 40, 0, 0], [3.0])


def test_segments_are_reported_without_a_seg_too(ct: Stack, tmp_path: Path) -> None:
    volume = Measurement(VOLUME, 12.5, CM3, "liver")
    made = report(ct, tmp_path, builders.organs((6, 20, 24)), volume, outputs=("SR",))
    assert [answers(group).get("Finding") for group in groups(made)] == ["Liver", "Kidney", "Kidney"]


def test_a_box_is_outlined_along_its_edges(tmp_path: Path) -> None:
    made = report(builders.radiograph(tmp_path), tmp_path, builders.marks())
    (region,) = [item for item in groups(made)[0].ContentSequence if item.ValueType == "SCOORD"]
    assert region.GraphicType == "POLYLINE"
    assert list(region.GraphicData) == [3, 4, 9.5, 4, 9.5, 8, 3, 8, 3, 4]


def test_an_erased_region_is_a_concept_of_its_own_without_a_probability(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    mark, erased = groups(report(stack, tmp_path, builders.marks(), builders.erased(stack)))
    assert (answers(mark)["Finding"], answers(erased)["Finding"]) == (
        builders.MARK.code.meaning,
        "Region erased in the altered image",
    )
    assert [sum(item.ValueType == "NUM" for item in one.ContentSequence) for one in (mark, erased)] == [1, 0]


def test_a_box_on_one_of_many_slices_is_refused(ct: Stack, tmp_path: Path) -> None:
    with pytest.raises(ProofError, match="a stack of one frame, got 6"):
        encode(request(ct, builders.marks()), tmp_path / "out")


def test_nothing_found_is_said(tmp_path: Path) -> None:
    empty = Detection(builders.MARK.code, ())
    made = report(builders.radiograph(tmp_path), tmp_path, empty)
    assert groups(made) == []
    assert answers(ended(made))["CAD Processing and Findings Summary"] == "All algorithms succeeded; without findings"
    assert texts(ended(made)) == ["Nothing found"]
    assert "organs_ct" in [item.get("TextValue") for item in ended(made).ContentSequence]


def test_segments_not_found_are_named(ct: Stack, tmp_path: Path) -> None:
    found = builders.organs((6, 20, 24))
    found.labels[found.labels == 2] = 0
    assert texts(ended(report(ct, tmp_path, found))) == ["Not found: left kidney"]


def test_remarks_and_numbers_of_the_whole_image_stand_first(ct: Stack, tmp_path: Path) -> None:
    remark = Remark("outside the trained body region")
    made = report(ct, tmp_path, Measurement(VOLUME, 3.0, CM3), remark)
    assert texts(ended(made)) == ["outside the trained body region"]
    assert [numbers(group) for group in groups(made)] == [[3.0]]
    assert answers(ended(made))["CAD Processing and Findings Summary"] == "All algorithms succeeded; with findings"


def test_frames_of_a_multi_frame_source_are_cited_by_number(tmp_path: Path) -> None:
    made = report(builders.enhanced_ct(tmp_path), tmp_path, builders.contrast())
    (image,) = [item for item in groups(made)[0].ContentSequence if item.ValueType == "IMAGE"]
    assert list(image.ReferencedSOPSequence[0].ReferencedFrameNumber) == [6, 5, 4, 3, 2]


def test_each_frame_of_a_film_that_shows_a_segment_is_cited_with_what_was_measured_there(tmp_path: Path) -> None:
    film = builders.film(tmp_path, frames=4)
    labels = np.zeros((4, 40, 36), np.uint8)
    labels[1, 2:5, 3:6] = labels[3, 6:9, 7:9] = 1
    polyp = Segmentation(labels, (Segment(1, "polyp", builders.ORGAN, builders.LIVER, (0, 255, 0)),))
    sizes = [Measurement(AREA, area, CM2, "polyp", k) for k, area in ((1, 9.0), (3, 6.0))]
    found = groups(report(film, tmp_path, polyp, *sizes, outputs=("SR",)))
    cited = {}
    for group in found:
        (region,) = [item for item in group.ContentSequence if item.ValueType == "SCOORD"]
        frame = int(region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber)
        cited[frame] = numbers(group)
    assert cited == {2: [9.0], 4: [6.0]}
    assert len({tracked(group) for group in found}) == 2


def test_only_the_frames_that_were_looked_at_are_sources(tmp_path: Path) -> None:
    film = builders.film(tmp_path, frames=4)
    looked_at = dataclasses.replace(builders.findings(), frames=(1, 3)).looked_at(film)
    assert [one.number for one in looked_at.frames] == [1, 3]
    assert builders.findings().looked_at(film) == film


def test_an_old_peer_gets_the_class_that_it_knows(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    old = Encoding(sr_class="comprehensive")
    made = report(stack, tmp_path, builders.lungs(), builders.marks(), encoding=old)
    assert made.SOPClassUID == ComprehensiveSRStorage
    assert report(stack, tmp_path / "usual").SOPClassUID == Comprehensive3DSRStorage


def test_the_title_is_that_of_a_measurement_report_unless_the_peer_wants_another(ct: Stack, tmp_path: Path) -> None:
    usual = report(ct, tmp_path, builders.contrast())
    other = report(ct, tmp_path / "other", builders.contrast(), encoding=Encoding(sr_title="126001"))
    assert (_name(usual), _name(other)) == ("126000", "126001")
    assert usual.SOPInstanceUID != other.SOPInstanceUID


def test_a_title_by_content_tells_reports_that_can_be_drawn_from_texts(tmp_path: Path) -> None:
    stack, drawn = builders.radiograph(tmp_path), Encoding(sr_title="auto")
    found = {"marks": builders.marks(), "answer": builders.contrast(), "nothing": Detection(builders.MARK.code, ())}
    made = {name: report(stack, tmp_path / name, one, encoding=drawn) for name, one in found.items()}
    assert {name: _name(one) for name, one in made.items()} == {
        "marks": "126000",
        "answer": "126001",
        "nothing": "126001",
    }


def test_a_group_that_lost_its_tracking_is_no_template_any_more(tmp_path: Path) -> None:
    made = report(builders.radiograph(tmp_path), tmp_path, builders.marks())
    assert lacks(made) == []
    (group,) = [one for one in groups(made) if "SCOORD" in {item.ValueType for item in one.ContentSequence}]
    group.ContentSequence = [item for item in group.ContentSequence if item.ValueType != "UIDREF"]
    assert lacks(made) == ["report, Imaging Measurements, Measurement Group: UIDREF 112040 stands 0 times"]
