"""Results as pictures for people without a viewer: what a SEG marks drawn on its source, and a Secondary Capture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.processing import apply_modality_lut
from pydicom.pixels.utils import pixel_array

from dicom_node.errors import ObjectError

Colour: TypeAlias = tuple[int, int, int]
"""Blue, green, red, 0 to 255: OpenCV's order."""

_PALETTE: tuple[Colour, ...] = ((80, 200, 80), (60, 170, 250), (230, 150, 70), (80, 80, 240), (200, 100, 200))
_LEAST_PIXELS = 768  # of a picture's shorter side; smaller ones are enlarged, for contours one can see
_MARGIN, _LINE = 12, 26


def overlay_png(source_path: Path, seg_path: Path, out_path: Path) -> None:
    """Draw the outlines of a SEG's segments, with their names, on the image that it was made from.

    source_path is one single-frame file, or a folder of them; of several, the one with the most marked pixels is drawn.

    Raises:
        ObjectError: the SEG marks nothing on any image at source_path.
    """
    seg = hd.seg.segread(seg_path)
    sources = _sources(source_path, seg)
    if not sources:
        raise ObjectError(str(seg_path), f"refers to no image at {source_path}")
    labels = seg.get_pixels_by_source_instance(
        list(sources),
        combine_segments=True,
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
        skip_overlap_checks=True,
    )  # (images, rows, columns), segment numbers
    best = int(np.count_nonzero(labels, axis=(1, 2)).argmax())
    source = dcmread(list(sources.values())[best])
    _write(out_path, _drawn(_picture(source), labels[best], seg))


def picture_png(path: Path, out_path: Path) -> None:
    """Write the first frame of a grey or colour image as PNG."""
    dataset = dcmread(path)
    if int(dataset.SamplesPerPixel) == 1:
        _write(out_path, _picture(dataset))
        return
    colour = pixel_array(dataset, index=0)  # (rows, columns, 3), RGB whatever was stored
    _write(out_path, np.ascontiguousarray(colour[..., ::-1]))


def _sources(source_path: Path, seg: hd.seg.Segmentation) -> Mapping[str, Path]:
    """Return the files that the SEG refers to, by SOP Instance UID."""
    files = [source_path] if source_path.is_file() else sorted(source_path.rglob("*.dcm"))
    uids = {str(dcmread(file, stop_before_pixels=True).SOPInstanceUID): file for file in files}
    cited = {uid for _, _, uid in seg.get_source_image_uids()}
    return {uid: file for uid, file in uids.items() if uid in cited}


def _picture(dataset: Dataset) -> NDArray[np.uint8]:
    """Return the first frame (rows, columns) as its own window shows it, 0 black to 255 white."""
    values = apply_modality_lut(pixel_array(dataset, index=0), dataset).astype(np.float64)
    low, high = _window(dataset, values)
    shown = np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = 255 - shown
    return shown.astype(np.uint8)


def _window(dataset: Dataset, values: NDArray[np.float64]) -> tuple[float, float]:
    centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    if centre is None or width is None:
        low, high = np.percentile(values, (1, 99)).tolist()
        return low, high
    return centre - width / 2, centre + width / 2


def _first(value: Any) -> float | None:
    """Return the first of several alternative windows."""
    if value is None:
        return None
    return float(value if isinstance(value, (int, float)) else next(iter(value)))


def _drawn(grey: NDArray[np.uint8], labels: NDArray[Any], seg: hd.seg.Segmentation) -> NDArray[np.uint8]:
    """Return the picture (rows, columns, BGR) with outlines and a legend; labels are (rows, columns)."""
    scale = max(1, -(-_LEAST_PIXELS // min(grey.shape)))
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    canvas = cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)
    marked = [number for number in seg.segment_numbers if (labels == number).any()]
    for line, number in enumerate(marked):
        colour, name = _look(seg, number)
        mask = (labels == number).astype(np.uint8)
        mask = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outlines, -1, colour, 2, cv2.LINE_AA)
        place = (_MARGIN, _MARGIN + _LINE * (line + 1))
        cv2.putText(canvas, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, colour, 2, cv2.LINE_AA)
    return np.asarray(canvas, np.uint8)


def _look(seg: hd.seg.Segmentation, number: int) -> tuple[Colour, str]:
    """Return a segment's colour and name; without a recommended colour, one of the palette's."""
    description = seg.get_segment_description(number)
    name = str(description.segment_label)
    recommended = description.get("RecommendedDisplayCIELabValue")
    if recommended is None:
        return _PALETTE[(number - 1) % len(_PALETTE)], name
    red, green, blue = hd.color.CIELabColor.from_dicom_value(list(recommended)).to_rgb()
    return (int(blue), int(green), int(red)), name


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    done, encoded = cv2.imencode(".png", picture)
    if not done:
        raise ObjectError(str(path), f"a picture of shape {picture.shape} cannot be written as PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.tobytes())
