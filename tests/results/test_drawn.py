"""Presentation states, overlays and key images: what viewers show that show no SEG."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import FileDataset, dcmread
from pydicom.uid import (
    ColorSoftcopyPresentationStateStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.config import Encoding
from dicom_node.errors import ProofError
from dicom_node.images import Stack
from dicom_node.results.captures import Captured
from dicom_node.results.encode import encode, encode_rejection
from dicom_node.results.outlines import filled, polygons
from dicom_node.results.prove import Proof, prove
from dicom_node.results.sources import Plane, plane_of, read_sources
from tests.results import builders
from tests.results.builders import only, request
from tests.support.programs import require

CT_SHAPE = (6, 20, 24)


def rendered(image: Path, state: Path | None, out: Path) -> NDArray[np.uint8]:
    """Return the picture (rows, columns) that dcmtk shows, with or without a presentation state."""
    require("dcmp2pgm")
    with_state = ["--pstate", str(state)] if state else []
    subprocess.run(["dcmp2pgm", *with_state, str(image), str(out)], check=True, capture_output=True, timeout=60)
    return np.asarray(cv2.imread(str(out), cv2.IMREAD_UNCHANGED), np.uint8)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_state_shows_the_image_as_it_was(photometric: str, tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path, PhotometricInterpretation=photometric)
    (file,) = encode(request(stack, builders.lungs(), outputs=("PR",)), tmp_path / "out")
    image = Path(stack.frames[0].path)
    plain, through = rendered(image, None, tmp_path / "a.pgm"), rendered(image, file.path, tmp_path / "b.pgm")
    assert plain.std() > 10
    assert np.array_equal(plain, through)


def test_outlines_enclose_what_was_found() -> None:
    rng = np.random.default_rng(4)
    blurred = cv2.GaussianBlur(rng.random((60, 80)), (9, 9), 2)
    mask = np.asarray(blurred > np.median(blurred))  # islands, holes and single pixels
    mask[0, 0] = mask[59, 79] = True
    assert np.array_equal(filled(polygons(mask), (60, 80)), mask)


def test_a_state_outlines_every_segment_on_its_slices(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    state = only(encode(request(stack, builders.organs(CT_SHAPE), outputs=("PR",)), tmp_path / "out"), "PR")
    names = {layer.GraphicLayer: layer.GraphicLayerDescription for layer in state.GraphicLayerSequence}
    drawn = {
        (names[item.GraphicLayer], item.ReferencedImageSequence[0].ReferencedSOPInstanceUID)
        for item in state.GraphicAnnotationSequence
    }
    inner = [frame.sop_instance_uid for frame in stack.frames[1:-1]]
    assert drawn == {(f"AI {name}", uid) for name in ("liver", "left kidney", "right kidney") for uid in inner}
    assert (state.RescaleIntercept, state.RescaleType) == (-1024, "HU")


def test_slices_of_another_rescale_have_a_state_of_their_own(tmp_path: Path) -> None:
    stack = builders.ct_series(tmp_path)
    dataset = dcmread(stack.frames[2].path)
    dataset.RescaleSlope = 2
    dataset.save_as(stack.frames[2].path)
    files = encode(request(stack, builders.organs(CT_SHAPE), outputs=("PR",)), tmp_path / "out")
    slopes = [float(dcmread(file.path).RescaleSlope) for file in files]
    assert sorted(slopes) == [1, 2]


def test_a_state_of_a_multi_frame_image_cites_its_frames(tmp_path: Path) -> None:
    stack = builders.enhanced_ct(tmp_path)
    state = only(encode(request(stack, builders.organs((5, 20, 24)), outputs=("PR",)), tmp_path / "out"), "PR")
    (image,) = state.ReferencedSeriesSequence[0].ReferencedImageSequence
    assert list(image.ReferencedFrameNumber) == [3, 4, 5]


def test_a_picture_in_colour_has_a_colour_state(tmp_path: Path) -> None:
    stack = builders.endoscopy(tmp_path)
    state = only(encode(request(stack, builders.lungs(), outputs=("PR",)), tmp_path / "out"), "PR")
    assert state.SOPClassUID == ColorSoftcopyPresentationStateStorage
    assert len(state.ICCProfile) > 100


def test_marks_are_outlined_by_their_boxes(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    state = only(encode(request(stack, builders.marks(), outputs=("PR",)), tmp_path / "out"), "PR")
    (line,) = state.GraphicAnnotationSequence[0].GraphicObjectSequence
    assert list(line.GraphicData) == [3, 4, 9.5, 4, 9.5, 8, 3, 8, 3, 4]


def test_key_images_are_those_of_the_largest_extent(tmp_path: Path) -> None:
    stack, found = builders.ct_series(tmp_path), builders.organs(CT_SHAPE)
    found.labels[3, 2:9, 3:12][found.labels[3, 2:9, 3:12] == 0] = 1
    keys = only(encode(request(stack, found, outputs=("KO",)), tmp_path / "out"), "KO")
    images = [item for item in keys.ContentSequence if item.ValueType == "IMAGE"]
    cited = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in images]
    assert stack.frames[3].sop_instance_uid in cited
    assert keys.ConceptNameCodeSequence[0].CodeValue == "113000"
    assert keys.ContentTemplateSequence[0].TemplateIdentifier == "2010"


def test_nothing_found_selects_and_draws_nothing(tmp_path: Path) -> None:
    stack, found = builders.ct_series(tmp_path), builders.organs(CT_SHAPE)
    found.labels[:] = 0
    files = encode(request(stack, found, outputs=("SEG", "SC", "PR", "KO", "SR")), tmp_path / "out")
    assert [file.kind for file in files] == ["SR"]


def test_overlays_are_labelled_in_the_picture_and_in_the_header(tmp_path: Path) -> None:
    made = only(
        encode(request(builders.radiograph(tmp_path), builders.lungs(), outputs=("SC",)), tmp_path / "out"), "SC"
    )
    assert (made.SOPClassUID, list(made.ImageType)) == (SecondaryCaptureImageStorage, ["DERIVED", "SECONDARY"])
    assert (made.BurnedInAnnotation, made.PhotometricInterpretation, made.ConversionType) == ("YES", "RGB", "WSD")
    assert made.SeriesDescription == "AI Organs of CT overlay"
    assert (made.pixel_array[:20, :150] == 255).any()


def test_the_drawn_slices_of_a_volume_are_one_object_that_lies_where_they_do(tmp_path: Path) -> None:
    stack = backwards(builders.ct_series(tmp_path))
    made = only(encode(request(stack, builders.organs(CT_SHAPE), outputs=("SC",)), tmp_path / "out"), "SC")
    sources = [dcmread(frame.path) for frame in reversed(stack.frames[1:-1])]  # by Instance Number, as viewers scroll
    groups = made.PerFrameFunctionalGroupsSequence
    cited = [one.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID for one in groups]
    assert made.SOPClassUID == MultiFrameTrueColorSecondaryCaptureImageStorage
    assert cited == [one.SOPInstanceUID for one in sources]
    assert made.FrameOfReferenceUID == sources[0].FrameOfReferenceUID
    first, last = corners(plane_of(made, 1), (made.Rows, made.Columns)), corners_of(sources[0])
    assert np.allclose(first, last)


def test_for_an_old_peer_each_drawn_slice_is_an_object_that_lies_where_it_does(tmp_path: Path) -> None:
    stack = backwards(builders.ct_series(tmp_path))
    wanted = request(stack, builders.organs(CT_SHAPE), outputs=("SC",), encoding=Encoding(sc_frames="single"))
    pictures = [dcmread(file.path) for file in encode(wanted, tmp_path / "out")]
    sources = {frame.sop_instance_uid: dcmread(frame.path) for frame in stack.frames[1:-1]}
    assert {one.SOPClassUID for one in pictures} == {SecondaryCaptureImageStorage}
    for one in pictures:
        source = sources.pop(one.SourceImageSequence[0].ReferencedSOPInstanceUID)
        assert one.InstanceNumber == source.InstanceNumber
        assert np.allclose(corners(plane_of(one, None), (one.Rows, one.Columns)), corners_of(source))
    assert not sources


def backwards(stack: Stack) -> Stack:
    """Return a stack whose Instance Numbers count against its order in space."""
    for number, frame in enumerate(reversed(stack.frames), 11):
        dataset = dcmread(frame.path)
        dataset.InstanceNumber = number
        dataset.save_as(frame.path)
    return stack


def corners_of(source: FileDataset) -> list[NDArray[np.float64]]:
    return corners(plane_of(source, None), (source.Rows, source.Columns))


def corners(plane: Plane | None, shape: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Return the places of the outer corners of a picture of (rows, columns)."""
    assert plane is not None
    rows, columns = shape
    return [plane.point(row - 0.5, column - 0.5) for row in (0, rows) for column in (0, columns)]


def test_an_overlay_and_an_altered_image_are_series_apart(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    wanted = request(stack, builders.lungs(), builders.erased(stack), outputs=("SC",))
    assert len({file.series_instance_uid for file in encode(wanted, tmp_path / "out")}) == 2


def test_a_rejection_note_names_what_a_rerun_replaces(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    before = encode(request(stack, builders.lungs()), tmp_path / "out")
    again = request(stack, builders.lungs(), run_number=1)
    file = encode_rejection(again, [one.reference for one in before], "quality", tmp_path / "out")
    note = dcmread(file.path)
    cited = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in note.ContentSequence
        if item.ValueType in {"IMAGE", "COMPOSITE"}
    }
    assert cited == {one.sop_instance_uid for one in before}
    assert note.ConceptNameCodeSequence[0].CodeValue == "113001"


def move_an_outline(made: FileDataset) -> None:
    line = made.GraphicAnnotationSequence[0].GraphicObjectSequence[0]
    line.GraphicData = [value + 1 for value in line.GraphicData]


def draw_on_another_slice(made: FileDataset) -> None:
    first, second = (item.ReferencedImageSequence[0] for item in made.GraphicAnnotationSequence[1:4:2])
    first.ReferencedSOPInstanceUID = second.ReferencedSOPInstanceUID


def exchange_black_and_white(made: FileDataset) -> None:
    made.PresentationLUTShape = "INVERSE"


def paint(made: FileDataset) -> None:
    picture = made.pixel_array.copy()
    picture[0, 300:305, 300:305] = 255, 0, 0
    made.PixelData = picture.tobytes()


def move_a_frame(made: FileDataset) -> None:
    place = made.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0]
    place.ImagePositionPatient = [value + 1 for value in place.ImagePositionPatient]


def cite_another(made: FileDataset) -> None:
    first, second = (made.PerFrameFunctionalGroupsSequence[k].DerivationImageSequence[0] for k in (0, 1))
    first.SourceImageSequence = second.SourceImageSequence


def select_another(made: FileDataset) -> None:
    item = next(one for one in made.ContentSequence if one.ValueType == "IMAGE")
    item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3"


ALTERED = [
    ("PR", move_an_outline, "the outline of liver on image 2"),
    ("PR", draw_on_another_slice, "has Dice 0.000000"),
    ("PR", exchange_black_and_white, "black and white exchanged"),
    ("SC", paint, "25 pixels away from outlines"),
    ("SC", move_a_frame, "frame 3 does not lie on its source"),
    ("SC", cite_another, "frame 1 cites another image"),
    ("KO", select_another, "it selects"),
]


@pytest.mark.alters
@pytest.mark.parametrize(("kind", "alter", "problem"), ALTERED)
def test_what_was_altered_is_caught(
    kind: str, alter: Callable[[FileDataset], None], problem: str, tmp_path: Path
) -> None:
    stack = builders.ct_series(tmp_path)
    wanted = request(stack, builders.organs(CT_SHAPE), outputs=(kind,))
    path = encode(wanted, tmp_path / "out")[0].path
    proof = Proof(wanted, read_sources(stack), Captured((1, 2, 3, 4)) if kind == "SC" else None)
    prove(path, proof)
    made = dcmread(path)
    alter(made)
    made.save_as(path)
    with pytest.raises(ProofError, match=problem):
        prove(path, proof)
