from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from dicom_node.config import Encoding
from dicom_node.errors import ObjectError
from dicom_node.images import Stack
from dicom_node.results.encode import encode, encode_refusal
from dicom_node.results.request import Reference
from tests.results import builders
from tests.results.builders import only, request

EVERY_KIND = ("SEG", "SC", "PR", "KO", "SR")


@pytest.fixture
def ct(tmp_path: Path) -> Stack:
    return builders.ct_series(tmp_path)


def test_the_same_request_gives_the_same_bytes(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    wanted = request(stack, builders.lungs(), builders.marks(), builders.erased(stack), outputs=EVERY_KIND)
    first, second = encode(wanted, tmp_path / "a"), encode(wanted, tmp_path / "b")
    assert [one.kind for one in first] == ["SEG", "SC", "SC", "PR", "KO", "SR"]
    assert [one.sha256 for one in first] == [one.sha256 for one in second]
    assert [one.sha256 for one in first] == [sha256(one.path.read_bytes()).hexdigest() for one in first]


def test_a_volume_gives_the_same_bytes_too(ct: Stack, tmp_path: Path) -> None:
    wanted = request(ct, builders.organs((6, 20, 24)), builders.contrast())
    hashes = [[one.sha256 for one in encode(wanted, tmp_path / name)] for name in "ab"]
    assert hashes[0] == hashes[1]


def test_the_order_of_the_slices_does_not_change_the_uids(ct: Stack) -> None:
    turned = replace(ct, frames=ct.frames[::-1])
    assert request(ct).uid("result", "SEG") == request(turned).uid("result", "SEG")


@pytest.mark.parametrize(
    "change",
    [
        {"run_number": 1},
        {"encoding": Encoding(empty_frames=True)},
        {"encoding": Encoding(seg_type="LABELMAP")},
        {"encoding": Encoding(seg_compression="JPEG 2000")},
    ],
)
def test_what_changes_the_bytes_changes_the_uid(ct: Stack, change: dict[str, Any]) -> None:
    assert request(ct).uid("result", "SEG") != request(ct, **change).uid("result", "SEG")


def test_how_one_kind_is_encoded_does_not_change_the_uids_of_another(ct: Stack) -> None:
    plain, old_peer = request(ct), request(ct, encoding=Encoding(sr_class="comprehensive", sc_modality="XC"))
    assert plain.uid("result", "SEG") == old_peer.uid("result", "SEG")
    assert plain.uid("result", "SR") != old_peer.uid("result", "SR")


def test_new_weights_change_the_device_and_the_uids_but_not_the_tracking(ct: Stack) -> None:
    old = request(ct)
    new = replace(old, findings=replace(old.findings, weights={"organs-small": "cd" * 32}))
    assert old.device_uid != new.device_uid
    assert old.uid("series", "SR") != new.uid("series", "SR")
    assert old.tracking_uid("liver") == new.tracking_uid("liver")


def test_only_wanted_kinds_are_written(ct: Stack, tmp_path: Path) -> None:
    files = encode(request(ct, builders.organs((6, 20, 24)), outputs=("SR",)), tmp_path / "out")
    assert [one.kind for one in files] == ["SR"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [files[0].path.name]


def test_a_run_needs_a_time_zone(ct: Stack) -> None:
    with pytest.raises(ValueError, match="time zone"):
        request(ct, at=datetime(2026, 1, 1))


def test_times_follow_the_offset_that_the_source_states(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path, TimezoneOffsetFromUTC="+0900")
    report = only(encode(request(stack), tmp_path / "out"), "SR")
    assert (report.TimezoneOffsetFromUTC, report.ContentTime) == ("+0900", "140607.890000")


def test_no_offset_is_stated_where_the_source_has_none(ct: Stack, tmp_path: Path) -> None:
    report = only(encode(request(ct), tmp_path / "out"), "SR")
    assert "TimezoneOffsetFromUTC" not in report
    assert (report.ContentDate, report.ContentTime) == ("20260304", "050607.890000")


def test_every_object_is_labelled_as_research_of_ours(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    wanted = request(stack, builders.lungs(), builders.erased(stack), outputs=EVERY_KIND)
    for file in encode(wanted, tmp_path / "out"):
        made = dcmread(file.path)
        equipment = made.ContributingEquipmentSequence[0]
        assert made.ContentQualification == "RESEARCH"
        assert made.SeriesDescription.startswith("AI Organs of CT")
        assert made.SeriesNumber > 9000
        assert (equipment.Manufacturer, equipment.DeviceUID) == ("dicom-node", wanted.device_uid)
        assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        assert "InstitutionName" not in made


def test_a_refusal_is_said_in_a_report(ct: Stack, tmp_path: Path) -> None:
    (file,) = encode_refusal(request(ct), "it has 6 slices, at least 30 are needed", tmp_path / "out")
    report = only([file], "SR")
    texts = [item.TextValue for item in report.ContentSequence[-1].ContentSequence if "TextValue" in item]
    assert "Not run, because it has 6 slices, at least 30 are needed" in texts
    assert "Not Attempted" in str(report)


def test_what_was_found_but_is_no_organ_is_reported_as_such_and_not_as_not_run(ct: Stack, tmp_path: Path) -> None:
    why = "not delivered, because the brain found is 210 mm high; 40 to 185 mm are possible"
    report = only(encode_refusal(request(ct), why, tmp_path / "out"), "SR")
    status = report.ContentSequence[-1].ContentSequence
    assert why in [item.TextValue for item in status if "TextValue" in item]
    assert "No algorithms succeeded; without findings" in str(report)
    assert "Not Attempted" not in str(report)


def test_a_rerun_names_the_report_that_it_replaces(ct: Stack, tmp_path: Path) -> None:
    (before,) = encode(request(ct, builders.contrast()), tmp_path / "out")
    again = request(ct, builders.contrast(), run_number=1, replaces=before.reference)
    report = only(encode(again, tmp_path / "again"), "SR")
    series = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == before.sop_instance_uid
    assert isinstance(before.reference, Reference)


def test_a_missing_source_is_named(ct: Stack, tmp_path: Path) -> None:
    Path(ct.frames[2].path).unlink()
    with pytest.raises(ObjectError, match=ct.frames[2].sop_instance_uid):
        encode(request(ct), tmp_path / "out")


def test_a_file_of_another_instance_is_refused(ct: Stack, tmp_path: Path) -> None:
    Path(ct.frames[2].path).write_bytes(Path(ct.frames[1].path).read_bytes())
    with pytest.raises(ObjectError, match="holds the instance"):
        encode(request(ct), tmp_path / "out")


def test_a_source_with_an_attribute_of_a_wrong_vr_is_named(ct: Stack, tmp_path: Path) -> None:
    source, uid = Path(ct.frames[0].path), b"\x20\x00\x0e\x00"  # Series Instance UID
    source.write_bytes(source.read_bytes().replace(uid + b"UI", uid + b"FD", 1))
    with pytest.raises(ObjectError, match=rf"{ct.frames[0].sop_instance_uid}: .*\(0020,000E\) according to VR 'FD'"):
        encode(request(ct, builders.organs((6, 20, 24))), tmp_path)
