from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import cv2
import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from dicom_node.demo import headers
from dicom_node.demo.overlay import overlay_png, picture_png
from dicom_node.demo.studies import report
from dicom_node.errors import ObjectError
from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.imaging import split
from dicom_node.results import encode
from tests.results.builders import enhanced_ct, organs, request

STUDY = headers.Study("overlay", datetime.date(2026, 1, 2), "")
GREEN = (0, 255, 0)


def ct_stack(folder: Path) -> tuple[list[Dataset], Stack]:
    """Four flat slices in files of any name, the third the brightest."""
    series = headers.Series(STUDY, 1, "CT", "", headers.SOP_CLASSES["CT"])
    images = []
    for k, value in enumerate((0.0, 50.0, 150.0, 100.0)):
        hu = np.full((64, 64), value)
        images.append(headers.ct_image(series, k + 1, hu, (0.0, 0.0, 5.0 * k), 1.0))
        images[-1].save_as(folder / f"IM{k}", enforce_file_format=True)
    (stack,) = split(STUDY.uid("study"), series.uid, [(str(path), "") for path in folder.iterdir()]).stacks
    return images, stack


def segmentation(sources: list[Dataset], mask: NDArray[np.uint8], path: Path) -> Path:
    description = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="liver",
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Liver,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        display_color=hd.color.CIELabColor.from_rgb(*GREEN),
    )
    numbers: dict[str, Any] = {"series_number": 1, "instance_number": 1, "device_serial_number": "1"}
    names: dict[str, Any] = {"manufacturer": "test", "manufacturer_model_name": "test", "software_versions": "1"}
    uids: dict[str, Any] = {"series_instance_uid": STUDY.uid("seg series"), "sop_instance_uid": STUDY.uid("seg")}
    seg = hd.seg.Segmentation(sources, mask, "BINARY", [description], **uids, **numbers, **names)
    seg.save_as(path)
    return path


def read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))  # (rows, columns, BGR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def coloured(path: Path) -> NDArray[np.bool_]:
    """Where a picture is not grey."""
    return np.asarray(np.ptp(read(path).astype(int), axis=2) > 60)


def test_outlines_stand_where_the_mask_is(tmp_path: Path) -> None:
    sources, stack = ct_stack(tmp_path)
    mask = np.zeros((4, 64, 64), np.uint8)
    mask[2, 40:50, 20:30] = 1
    overlay_png(stack, segmentation(sources, mask, tmp_path / "seg"), tmp_path / "out.png")
    found = coloured(tmp_path / "out.png")
    rows, columns = np.nonzero(found[100:])  # below the legend
    assert np.allclose((rows.min() + 100, rows.max() + 100), (40 * 12, 50 * 12), atol=3)
    assert np.allclose((columns.min(), columns.max()), (20 * 12, 30 * 12), atol=3)


def test_the_slice_with_the_largest_mask_is_drawn(tmp_path: Path) -> None:
    sources, stack = ct_stack(tmp_path)
    mask = np.zeros((4, 64, 64), np.uint8)
    mask[1, 40:42, 20:22] = mask[2, 40:50, 20:30] = 1
    overlay_png(stack, segmentation(sources, mask, tmp_path / "seg"), tmp_path / "out.png")
    shown = read(tmp_path / "out.png")[-1, -1, 0]
    assert shown == pytest.approx(255 * (150 + 160) / 400, abs=2)


def test_a_segmentation_of_something_else_is_refused(tmp_path: Path) -> None:
    sources, stack = ct_stack(tmp_path)
    path = segmentation(sources[:2], np.ones((2, 64, 64), np.uint8), tmp_path / "seg")
    with pytest.raises(ObjectError, match="cites no frame"):
        overlay_png(dataclasses.replace(stack, frames=stack.frames[2:]), path, tmp_path / "out.png")


def test_a_grey_picture_is_shown_by_its_window(tmp_path: Path) -> None:
    ct_stack(tmp_path)
    picture_png(tmp_path / "IM0", tmp_path / "out.png")
    assert read(tmp_path / "out.png")[0, 0].tolist() == [102, 102, 102]


def test_a_colour_picture_keeps_its_colours(tmp_path: Path) -> None:
    [dataset] = report(STUDY)
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.PlanarConfiguration = 2, 2, 3, 0
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = bytes([200, 100, 0] * 4)
    dataset.save_as(tmp_path / "sc.dcm", enforce_file_format=True)
    picture_png(tmp_path / "sc.dcm", tmp_path / "out.png")
    assert read(tmp_path / "out.png")[0, 0].tolist() == [0, 100, 200]
    assert dcmread(tmp_path / "sc.dcm").SamplesPerPixel == 3


def test_a_frame_of_a_multi_frame_object_is_drawn(tmp_path: Path) -> None:
    stack = enhanced_ct(tmp_path)  # all frames but the first, in reverse
    labels = np.zeros((5, 20, 24), np.uint8)
    labels[1, 4, 5] = labels[2, 10:15, 10:15] = 1
    liver = Segmentation(labels, organs(labels.shape).segments[:1])
    (found,) = encode(request(stack, liver, outputs=("SEG",)), tmp_path)
    overlay_png(stack, found.path, tmp_path / "out.png")
    rows, columns = np.nonzero(coloured(tmp_path / "out.png")[80:])  # below the legend; 39 pixels for each of its own
    assert np.allclose((rows.min() + 80, rows.max() + 80, columns.min(), columns.max()), (390, 585, 390, 585), atol=3)
