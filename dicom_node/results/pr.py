"""Softcopy presentation states with what was found as outlines, grey or in colour (PS3.3 A.33.1, A.33.2)."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset
from pydicom.uid import ColorSoftcopyPresentationStateStorage, GrayscaleSoftcopyPresentationStateStorage

from dicom_node.results import provenance
from dicom_node.results.grey import MODALITY, VOI, grey_scale, part
from dicom_node.results.outlines import Drawn, Polygon, drawn
from dicom_node.results.request import Request
from dicom_node.results.sources import Sources, referred

_LAYER = 16  # characters of a Code String
_TEXT_OFFSET = 4.0  # pixels between an outline and its name
_SRGB = "_icc_profiles/sRGB_v4_ICC_preference.icc"


def encode_states(request: Request, sources: Sources) -> tuple[Dataset, ...]:
    """Encode the outlines: one state for all frames that share a Modality LUT, since a state has only one."""
    found = drawn(request)
    if sources.first.get("SamplesPerPixel", 1) != 1:
        return (_in_colour(request, sources, found),) if found else ()
    scales = {k: _scale(sources, k) for k in sorted({one.frame for one in found})}
    states: list[Dataset] = []
    for frames in _alike(scales):
        state = _state(request, sources, [one for one in found if one.frame in frames], len(states))
        _show_grey(state, sources, {k: scales[k] for k in frames})
        states.append(state)
    return tuple(states)


def _scale(sources: Sources, k: int) -> Dataset:
    frame = sources.stack.frames[k]
    return grey_scale(sources.headers[frame.sop_instance_uid], frame.number)


def _alike(scales: dict[int, Dataset]) -> Iterator[list[int]]:
    """Yield the frames of each Modality LUT."""
    keys = {k: part(scale, MODALITY).to_json() for k, scale in scales.items()}
    for _, frames in groupby(sorted(keys, key=lambda k: (keys[k], k)), key=keys.__getitem__):
        yield list(frames)


def _state(request: Request, sources: Sources, found: Sequence[Drawn], index: int) -> Dataset:
    state = Dataset()
    state.SOPClassUID = GrayscaleSoftcopyPresentationStateStorage
    state.SOPInstanceUID = request.uid("result", "PR", index)
    state.Modality, state.InstanceNumber = "PR", index + 1
    state.update(sources.sides(state))
    state.ContentLabel = provenance.content_label(request)
    state.ContentDescription = provenance.content_description(request)
    state.ContentCreatorName = f"{provenance.MANUFACTURER}^"
    frames = sorted({one.frame for one in found})
    series = Dataset()
    series.SeriesInstanceUID = sources.first.SeriesInstanceUID
    series.ReferencedImageSequence = _references(sources, frames)
    state.ReferencedSeriesSequence = [series]
    state.DisplayedAreaSelectionSequence = [_whole_image(sources)]
    layers = {name: place for place, name in enumerate(dict.fromkeys(one.name for one in found), 1)}
    state.GraphicLayerSequence = [_layer(name, place, found) for name, place in layers.items()]
    state.GraphicAnnotationSequence = [_annotation(one, layers[one.name], sources) for one in found]
    return state


def _references(sources: Sources, frames: Sequence[int]) -> list[Dataset]:
    """Return one reference per instance, with the numbers of its frames where it has several."""
    cited: dict[str, Dataset] = {}
    numbers: dict[str, list[int]] = {}
    for frame in (sources.stack.frames[k] for k in frames):
        cited.setdefault(frame.sop_instance_uid, referred(frame))
        numbers.setdefault(frame.sop_instance_uid, []).extend(filter(None, [frame.number]))
    for uid, item in cited.items():
        if numbers[uid]:
            item.ReferencedFrameNumber = sorted(numbers[uid])
    return list(cited.values())


def _whole_image(sources: Sources) -> Dataset:
    """Show all of every image (PS3.3 C.10.4)."""
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner = [1, 1]
    item.DisplayedAreaBottomRightHandCorner = [int(sources.first.Columns), int(sources.first.Rows)]
    item.PresentationSizeMode = "SCALE TO FIT"
    spacing = sources.planes[0].spacing_mm if sources.planes else sources.first.get("PixelSpacing")
    if spacing:
        item.PresentationPixelSpacing = [float(value) for value in spacing]
    else:
        item.PresentationPixelAspectRatio = list(sources.first.get("PixelAspectRatio") or (1, 1))
    return item


def _layer(name: str, place: int, found: Sequence[Drawn]) -> Dataset:
    item = Dataset()
    item.GraphicLayer, item.GraphicLayerOrder, item.GraphicLayerDescription = _layer_name(place), place, f"AI {name}"
    colour = next(one.colour for one in found if one.name == name)
    item.GraphicLayerRecommendedDisplayCIELabValue = list(CIELabColor.from_rgb(*colour).value)
    return item


def _layer_name(place: int) -> str:
    return f"AI {place}"[:_LAYER]


def _annotation(one: Drawn, place: int, sources: Sources) -> Dataset:
    """Return the outlines of one thing on one frame, with its name beside them (PS3.3 C.10.5)."""
    item = Dataset()
    item.GraphicLayer = _layer_name(place)
    item.ReferencedImageSequence = [referred(sources.stack.frames[one.frame])]
    item.GraphicObjectSequence = [_polyline(polygon) for polygon in one.polygons]
    item.TextObjectSequence = [_text(one, sources)]
    return item


def _polyline(polygon: Polygon) -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits, item.GraphicDimensions = "PIXEL", 2
    item.NumberOfGraphicPoints, item.GraphicData = len(polygon), [float(value) for value in polygon.ravel()]
    item.GraphicType, item.GraphicFilled = "POLYLINE", "N"
    return item


def _text(one: Drawn, sources: Sources) -> Dataset:
    item = Dataset()
    item.AnchorPointAnnotationUnits, item.AnchorPointVisibility = "PIXEL", "N"
    points = np.concatenate(one.polygons)
    right, top = points[:, 0].max() + _TEXT_OFFSET, points[:, 1].min()
    item.AnchorPoint = [min(float(right), float(sources.first.Columns)), float(top)]
    item.UnformattedTextValue = f"AI {one.name}"
    return item


def _show_grey(state: Dataset, sources: Sources, scales: dict[int, Dataset]) -> None:
    """Carry the images' grey scale over, since a state's stands in for theirs (PS3.4 N.2.1)."""
    first = next(iter(scales.values()))
    state.update(part(first, MODALITY))
    if "RescaleSlope" in state and "RescaleType" not in state:
        state.RescaleType = "HU" if sources.first.get("Modality") == "CT" else "US"
    windows = {k: part(scale, VOI) for k, scale in scales.items()}
    keys = {k: window.to_json() for k, window in windows.items() if len(window)}
    items = []
    for key in dict.fromkeys(keys.values()):
        frames = [k for k in keys if keys[k] == key]
        item = windows[frames[0]]
        item.ReferencedImageSequence = _references(sources, frames)
        items.append(item)
    if items:
        state.SoftcopyVOILUTSequence = items
    # what the image calls its photometric interpretation is overridden here (PS3.4 N.2.1.4)
    state.PresentationLUTShape = "INVERSE" if first.get("PhotometricInterpretation") == "MONOCHROME1" else "IDENTITY"


def _in_colour(request: Request, sources: Sources, found: Sequence[Drawn]) -> Dataset:
    state = _state(request, sources, found, 0)
    state.SOPClassUID = ColorSoftcopyPresentationStateStorage
    state.ICCProfile = sources.first.get("ICCProfile") or pkgutil.get_data("highdicom", _SRGB)
    return state
