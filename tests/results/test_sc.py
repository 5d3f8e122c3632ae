from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, FileDataset, dcmread, dcmwrite
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import VR

from dicom_node.errors import ProofError
from dicom_node.images import Stack
from dicom_node.results.encode import encode
from tests.results import builders
from tests.results.builders import only, request
from tests.support.validity import errors


def secondary(stack: Stack, tmp_path: Path, **changes: Any) -> FileDataset:
    return only(encode(request(stack, builders.erased(stack), **changes), tmp_path / "out"), "SC")


def test_the_pixels_mean_the_same_grey_as_before(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    made, source = secondary(stack, tmp_path), dcmread(stack.frames[0].path)
    same = ("BitsStored", "HighBit", "PhotometricInterpretation", "WindowCenter", "RescaleSlope", "ImagerPixelSpacing")
    assert [made[keyword] for keyword in same] == [source[keyword] for keyword in same]
    assert (made.BitsStored, made.PhotometricInterpretation) == (12, "MONOCHROME1")
    assert np.array_equal(made.pixel_array, builders.erased(stack).stored)


def test_it_cannot_be_taken_for_the_original(tmp_path: Path) -> None:
    stack = builders.radiograph(
        tmp_path, sop_class=DigitalXRayImageStorageForPresentation, PresentationIntentType="FOR PRESENTATION"
    )
    made = secondary(stack, tmp_path)
    assert (made.SOPClassUID, made.Modality, made.ConversionType) == (SecondaryCaptureImageStorage, "OT", "WSD")
    assert list(made.ImageType) == ["DERIVED", "SECONDARY"]
    assert "inpainting" in made.DerivationDescription
    assert "not for diagnosis; see original" in made.DerivationDescription
    assert made.SeriesInstanceUID != builders.SERIES
    assert "PresentationIntentType" not in made


def test_it_cites_its_source(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    item = secondary(stack, tmp_path).SourceImageSequence[0]
    assert item.ReferencedSOPInstanceUID == stack.frames[0].sop_instance_uid
    assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"


def test_sides_are_copied_and_never_filled(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, ImageLaterality="U", Laterality=None)
    made = secondary(stack, tmp_path)
    assert (made.ImageLaterality, made.ViewPosition, list(made.PatientOrientation)) == ("U", "PA", ["L", "F"])
    assert "Laterality" not in made


def test_an_orientation_that_the_source_lacks_stays_empty(tmp_path: Path) -> None:
    made = secondary(builders.radiograph(tmp_path, PatientOrientation=None, ViewPosition=""), tmp_path)
    assert made["PatientOrientation"].is_empty
    assert made["ViewPosition"].is_empty


@pytest.mark.parametrize("spacing", [[0.14, 0.14], None])
def test_spacing_is_copied_with_its_calibration_or_not_at_all(spacing: list[float] | None, tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, PixelSpacing=spacing, PixelSpacingCalibrationType="GEOMETRY")
    made = secondary(stack, tmp_path)
    assert made.get("PixelSpacing") == spacing
    assert ("PixelSpacingCalibrationType" in made) == (spacing is not None)


@pytest.mark.parametrize("stated", ["YES", "NO", None])
def test_burned_in_annotation_is_the_sources_word(stated: str | None, tmp_path: Path) -> None:
    assert (
        secondary(builders.radiograph(tmp_path, BurnedInAnnotation=stated), tmp_path).get("BurnedInAnnotation")
        == stated
    )


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_a_compressed_source_gives_native_pixels(syntax: str, tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    source = dcmread(stack.frames[0].path)
    source.compress(syntax, generate_instance_uid=False)
    source.LossyImageCompression = "00"
    source.save_as(stack.frames[0].path)
    made = secondary(stack, tmp_path)
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert made.LossyImageCompression == "00"
    assert np.array_equal(made.pixel_array, builders.erased(stack).stored)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_lookup_tables_are_copied_from_every_encoding(syntax: UID, tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.LUTExplanation = [4, 0, 16], "synthetic"
    table.add_new("LUTData", "OW", np.array([0, 100, 2000, 65535], dtype="<u2").tobytes())
    table["LUTDescriptor"].VR = VR.US
    stack = builders.radiograph(
        tmp_path, VOILUTSequence=[table], PixelPaddingValue=0, WindowCenter=None, WindowWidth=None
    )
    source = dcmread(stack.frames[0].path)
    source["PixelPaddingValue"].VR = VR.US
    source.file_meta.TransferSyntaxUID = syntax
    dcmwrite(stack.frames[0].path, source, implicit_vr=syntax.is_implicit_VR, little_endian=True, force_encoding=True)
    made = secondary(stack, tmp_path)
    assert list(made.VOILUTSequence[0].LUTDescriptor) == [4, 0, 16]
    assert made.PixelPaddingValue == 0


def test_signed_pixels_stay_signed(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, PixelRepresentation=1)
    made = secondary(stack, tmp_path)
    assert made.PixelRepresentation == 1
    assert made.pixel_array.dtype == np.int16


def test_pixels_of_another_size_are_refused(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    wrong = replace(builders.erased(stack), stored=np.zeros((3, 4), dtype=np.uint16))
    with pytest.raises(ProofError, match=r"is \(3, 4\), its source \(40, 36\)"):
        encode(request(stack, wrong), tmp_path / "out")


def test_a_rerun_says_that_it_replaces(tmp_path: Path) -> None:
    made = secondary(builders.radiograph(tmp_path), tmp_path, run_number=1)
    assert "replaces" in made.DerivationDescription


PARTS = [
    ("KNEE", None, ""),
    ("KNEE", "", ""),
    ("KNEE", "L", "L"),
    ("CHEST", None, None),
    ("CHEST", "", None),
    ("A SITE TERM", None, ""),
]


@pytest.mark.parametrize(("part", "side", "stated"), PARTS)
def test_laterality_is_copied_or_of_zero_length_where_the_body_part_may_be_of_a_pair(
    tmp_path: Path, part: str, side: str | None, stated: str | None
) -> None:
    given: dict[str, Any] = {} if side is None else {"Laterality": side}
    stack = builders.radiograph(tmp_path, BodyPartExamined=part, **given)
    found = (builders.lungs(), builders.erased(stack))
    files = encode(request(stack, *found, outputs=("SC", "PR")), tmp_path / "out")
    made = [dcmread(file.path) for file in files]
    assert [one.Modality for one in made] == ["OT", "OT", "PR"]
    assert {None if "Laterality" not in one else one.Laterality or "" for one in made} == {stated}
    assert [line for file in files for line in errors(file.path)] == []


def test_a_sequence_without_an_item_is_not_copied_at_any_depth(tmp_path: Path) -> None:
    view = Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "399348003", "SCT", "antero-posterior"
    view.ViewModifierCodeSequence = []
    stack = builders.radiograph(tmp_path, ViewCodeSequence=[view])
    for file in encode(request(stack, builders.lungs(), builders.erased(stack), outputs=("SC",)), tmp_path / "out"):
        (item,) = dcmread(file.path).ViewCodeSequence
        assert (item.CodeValue, "ViewModifierCodeSequence" in item) == ("399348003", False)
        assert errors(file.path) == []
