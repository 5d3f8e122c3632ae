"""What was found on each source frame as outlines, for objects that are drawn: presentation states and overlays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from dicom_node.findings import Segmentation
from dicom_node.results.groups import found_boxes, outline
from dicom_node.results.request import Request
from dicom_node.results.seg import present

Polygon: TypeAlias = NDArray[np.float64]
"""(points, 2) columns and rows, zero being the first pixel's outer corner; the last point is the first."""

BOX_COLOUR = (255, 200, 0)
_PARENT = 3  # where OpenCV's hierarchy of a contour names what it is a hole of; -1: none
_FINER = 2  # the mask is enlarged so, and its outline lies a quarter of a pixel inside its pixels' edges
_MOST_POINTS = 8000  # of one polygon: what the 64 kB of a Float value of two coordinates hold (PS3.5 7.1.2)


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """One thing found on one frame."""

    name: str
    colour: tuple[int, int, int]  # sRGB 0..255
    frame: int  # index in the stack
    polygons: tuple[Polygon, ...]
    pixels: float  # that it covers


def drawn(request: Request) -> tuple[Drawn, ...]:
    """Return everything that was found with a place, frame by frame in the stack's order."""
    found = [*_segments(request), *_boxes(request)]
    return tuple(sorted(found, key=lambda one: one.frame))


def polygons(mask: NDArray[np.bool_]) -> tuple[Polygon, ...]:
    """Return the outlines of a mask (rows, columns), those of its holes among them."""
    return tuple(_closed(_thinned(one)[:, 0]) for one in _contours(mask)[0])


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One connected part of a mask."""

    outline: Polygon
    holes: int


def parts(mask: NDArray[np.bool_]) -> tuple[Part, ...]:
    """Return the connected parts of a mask (rows, columns), those with the most pixels inside their outline first."""
    contours, hierarchy = _contours(mask)
    outer = [index for index, links in enumerate(hierarchy) if links[_PARENT] < 0]
    holes = [int(links[_PARENT]) for links in hierarchy]
    outer.sort(key=lambda index: -cv2.contourArea(contours[index]))
    return tuple(Part(_closed(_thinned(contours[index])[:, 0]), holes.count(index)) for index in outer)


def filled(found: tuple[Polygon, ...], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask (rows, columns) whose outlines these are."""
    canvas = np.zeros((shape[0] * _FINER, shape[1] * _FINER), np.uint8)
    cv2.fillPoly(canvas, [np.rint(one * _FINER - 0.5).astype(np.int32) for one in found], 1)
    return canvas[_FINER // 2 :: _FINER, _FINER // 2 :: _FINER].astype(bool)


def _contours(mask: NDArray[np.bool_]) -> tuple[list[NDArray[Any]], NDArray[np.int32]]:
    """Return the contours of a mask enlarged, (points, 1, 2) each, and their links, (contours, 4)."""
    enlarged = mask.astype(np.uint8).repeat(_FINER, axis=0).repeat(_FINER, axis=1)
    contours, hierarchy = cv2.findContours(enlarged, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return list(contours), hierarchy[0]


def _thinned(contour: NDArray[Any]) -> NDArray[Any]:
    """Leave out points that are least needed until the rest fit in one value."""
    thinned, tolerance = contour, 0.5
    while len(thinned) > _MOST_POINTS:
        thinned, tolerance = np.asarray(cv2.approxPolyDP(contour, tolerance, closed=True)), tolerance * 2
    return thinned


def _closed(points: NDArray[Any]) -> Polygon:
    return np.asarray((np.concatenate([points, points[:1]]) + 0.5) / _FINER, dtype=np.float64)


def _segments(request: Request) -> Iterator[Drawn]:
    for segmentation in request.findings.of(Segmentation):
        for segment in present(segmentation):
            for k, labels in enumerate(segmentation.labels):
                mask = labels == segment.label
                if mask.any():
                    yield Drawn(segment.name, segment.colour, k, polygons(mask), int(mask.sum()))


def _boxes(request: Request) -> Iterator[Drawn]:
    for number, box in enumerate(found_boxes(request), 1):
        pixels = (box.x2 - box.x1) * (box.y2 - box.y1)
        yield Drawn(f"{box.name} {number}", BOX_COLOUR, 0, (outline(box),), pixels)
